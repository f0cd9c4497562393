"""The desk: answers arrive, the latest wish wins, and a store in trouble is told of and recovered from."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embryo_store
from embryo_tui import questions as q
from embryo_tui.data import Desk, Notice, weight
from embryo_tui.questions import Question


@dataclass
class Heard:
    """What a desk told, and a way to wait for it."""

    arrivals: int = 0
    notices: list[Notice] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    told: threading.Condition = field(default_factory=threading.Condition)

    def arrived(self) -> None:
        with self.told:
            self.arrivals += 1
            self.told.notify_all()

    def noticed(self, notice: Notice) -> None:
        with self.told:
            self.notices.append(notice)
            self.told.notify_all()

    def failed(self, fault: BaseException) -> None:
        with self.told:
            self.faults.append(fault)
            self.told.notify_all()

    def wait(self, until: Callable[[], bool], seconds: float = 15) -> None:
        with self.told:
            assert self.told.wait_for(until, seconds), (self.arrivals, self.notices, self.faults)


@contextmanager
def desk(path: Path, **options: Any) -> Iterator[tuple[Desk, Heard]]:
    heard = Heard()
    made = Desk([path], heard.arrived, heard.noticed, heard.failed, poll=0.05, **options)
    made.start()
    try:
        yield made, heard
    finally:
        made.stop()


def test_answers_arrive_and_stay(store: Path) -> None:
    with desk(store) as (asked, heard):
        assert asked.find(q.runs()) is None
        asked.want([q.runs(), q.coverage()])
        heard.wait(lambda: not asked.waiting)
        found = asked.find(q.runs())
        assert found is not None
        assert [card.run for card in found.value] == ["albert-demo", "bert-demo"]
        assert found.fresh


def test_only_the_latest_wish_is_answered(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, asking, asked = threading.Event(), threading.Event(), []
    ask = Question.ask

    def slow(self: Question[Any], reader: Any) -> Any:
        asked.append(self)
        asking.set()
        assert go.wait(15)
        return ask(self, reader)

    monkeypatch.setattr(Question, "ask", slow)
    with desk(store) as (table, heard):
        table.want([q.facts_at("albert-demo", 0, "P36")])
        assert asking.wait(15)
        for step in range(1, 100):
            table.want([q.facts_at("albert-demo", step, "P36")])
        go.set()
        heard.wait(lambda: table.find(q.facts_at("albert-demo", 99, "P36")) is not None)
        assert len(asked) == 2


def test_steps_ahead_are_fetched_before_they_are_asked_for(store: Path) -> None:
    ahead = [q.facts_at("albert-demo", step, "P36") for step in (100, 200)]
    with desk(store) as (asked, heard):
        asked.want([q.runs()], ahead)
        heard.wait(lambda: asked.find(q.runs()) is not None)
        deadline = time.monotonic() + 15
        while asked.waiting and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert all(asked.find(question) for question in ahead)


def test_a_commit_is_noticed_within_two_seconds_and_stale_answers_are_shown_until_then(
    world: Any, store: Path
) -> None:
    with desk(store) as (asked, heard):
        asked.want([q.runs()])
        heard.wait(lambda: not asked.waiting)
        before = asked.find(q.runs())
        for commit in world.commits("albert-demo", [2000]):
            embryo_store.commit(store, commit)

        def newer() -> bool:
            found = asked.find(q.runs())
            assert found is not None, "what was known is never taken away"
            return found.value[0].steps[-1] == 2000

        heard.wait(newer, 2.0)
        assert before is not None
        assert before.value[0].steps[-1] == 1000


LOCK = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_a_store_that_another_program_holds_is_told_of_and_read_when_it_is_free(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embryo_tui.data.PATIENCE", 0.1)
    monkeypatch.setattr("embryo_tui.data.RETRY", 0.1)
    other = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "held\n"
        with desk(store) as (asked, heard):
            asked.want([q.runs()])
            heard.wait(lambda: [notice.kind for notice in heard.notices] == ["locked"])
            assert str(store) in heard.notices[0].text
            other.stdin.close()
            other.wait(15)
            heard.wait(lambda: heard.notices[-1].kind == "fine")
            assert asked.find(q.runs()) is not None
    finally:
        other.kill()
        other.wait()


def test_a_deleted_store_is_told_of_once_and_its_return_too(store: Path) -> None:
    with desk(store) as (asked, heard):
        asked.want([q.runs()])
        heard.wait(lambda: not asked.waiting)
        away = store.rename(store.with_suffix(".away"))
        heard.wait(lambda: bool(heard.notices) and heard.notices[-1].kind == "gone")
        assert asked.find(q.runs()) is not None
        away.rename(store)
        heard.wait(lambda: heard.notices[-1].kind == "fine")
        assert [notice.kind for notice in heard.notices] == ["gone", "fine"]


def test_a_replaced_store_is_read_anew(world: Any, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    for commit in world.commits("another-run", [0]):
        embryo_store.commit(other, commit)
    with desk(store) as (asked, heard):
        asked.want([q.runs()])
        heard.wait(lambda: not asked.waiting)
        other.replace(store)

        def another() -> bool:
            found = asked.find(q.runs())
            return found is not None and [card.run for card in found.value] == ["another-run"]

        heard.wait(another)
        assert "replaced" in [notice.kind for notice in heard.notices]


def test_a_file_that_is_no_store_says_so_with_its_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "notes.duckdb"
    path.write_text("not a database" * 100)
    with desk(path) as (asked, heard):
        asked.want([q.runs()])
        heard.wait(lambda: bool(heard.notices))
        assert heard.notices[0].code == 2
        assert "notes.duckdb" in heard.notices[0].text


def test_a_fault_in_the_thread_reaches_the_app(store: Path) -> None:
    with desk(store) as (asked, heard):
        asked.want([Question("no_such_question")])
        heard.wait(lambda: bool(heard.faults))
        assert isinstance(heard.faults[0], AttributeError)


def test_the_cache_stays_within_its_budget_and_large_answers_are_not_asked_for_for_ever(store: Path) -> None:
    with desk(store, budget=60_000) as (asked, heard):
        steps = (0, 1, 2, 5, 10, 20, 50, 100)
        asked.want([q.attention_at("albert-demo", step, 0) for step in steps])
        heard.wait(lambda: not asked.waiting)
        kept = [step for step in steps if asked.find(q.attention_at("albert-demo", step, 0))]
        assert 0 < len(kept) < len(steps)
        assert kept[-1] == 100


def test_weights_count_arrays_inside_records() -> None:
    assert weight((np.zeros(1000), "x" * 500)) > 8500


@pytest.mark.parametrize("method", ["facts", "attention", "probes"])
def test_steps_read_together_answer_as_each_alone(world: Any, store: Path, method: str) -> None:
    import embryo_store

    def made(step: int) -> Question[Any]:
        if method == "facts":
            return q.facts_at("albert-demo", step, "P36")
        if method == "probes":
            return q.probe_at("albert-demo", "probe-pos", step, 2, "paper")
        return q.attention_at("albert-demo", step, 1)

    steps = [-5, 0, 3, 400, 400, 5000]
    with embryo_store.read(store) as reader:
        together = made(0).ask_all(reader, steps)
        alone = [made(step).ask(reader) for step in steps]
        missing = q.attention_at("bert-demo", 0, 0).ask_all(reader, steps)
    assert missing == (None,) * len(steps)
    assert together[0] is None
    for one, other in zip(together, alone, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            for part in fields(one):
                np.testing.assert_array_equal(getattr(one, part.name), getattr(other, part.name))


def test_what_may_come_next_is_read_in_few_passes(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    ask = Question.ask_all
    monkeypatch.setattr(
        Question, "ask_all", lambda self, reader, steps: passes.append(len(steps)) or ask(self, reader, steps)
    )
    with desk(store) as (asked, heard):
        ahead = [q.facts_at("albert-demo", step, "P36") for step in (0, 1, 2, 5, 10, 20)]
        asked.want([q.facts_at("albert-demo", 50, "P36")], ahead)
        heard.wait(lambda: not asked.waiting)
        assert passes == [6]
        assert all(asked.find(question).value.step == question.arguments[1] for question in ahead)


def test_a_compacted_store_is_read_anew_and_answers_as_before(store: Path) -> None:
    import embryo_store

    with desk(store) as (asked, heard):
        question = q.facts_at("albert-demo", 400, "P36")
        asked.want([question])
        heard.wait(lambda: not asked.waiting)
        before = asked.find(question).value
        embryo_store.compact(store)
        heard.wait(lambda: any(notice.kind == "replaced" for notice in heard.notices))
        heard.wait(lambda: (found := asked.find(question)) is not None and found.fresh)
        np.testing.assert_array_equal(asked.find(question).value.gold_rank, before.gold_rank)
        assert not heard.faults
