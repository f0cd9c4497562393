"""The command as a user meets it.

What is done is skipped, what changed is evaluated again, and every bad input gets one clear message and its
exit code.
"""

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import duckdb
import pytest

import embryo_store
from embryo_store.records import Key
from evaluators import session

Evaluate = Callable[..., tuple[int, str, str]]
Content = Callable[[Path], dict[str, list[tuple[object, ...]]]]

TASKS = {"attention", "lama", "mask-predict", "mlm", "reconstruct", "train-log"}
DB = Path("results.duckdb")
WEIGHTS = Path("checkpoints/tiny/step-00000010/model.safetensors")


def stored(status: str = "done") -> set[Key]:
    return {key for key, done in embryo_store.done(DB).items() if done.status == status}


def test_everything_is_evaluated_once_and_then_skipped(world: Path, evaluate: Evaluate) -> None:
    code, out, err = evaluate()
    assert code == 0, err
    assert "Stored 12 results of 2 checkpoints" in out
    assert {(key.step, key.task) for key in stored()} == {(step, task) for step in (0, 10) for task in TASKS}
    written = DB.stat().st_mtime_ns
    code, out, _ = evaluate()
    assert code == 0
    assert "Nothing to do: all 12 results stand" in out
    assert DB.stat().st_mtime_ns == written


def test_many_checkpoints_end_with_the_command_that_sorts_them(
    world: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "db compact" not in evaluate("--task", "train-log", "--db", "two words.duckdb")[1]
    monkeypatch.setattr(session, "COMPACT_FROM", 2)
    out = evaluate("--task", "train-log", "--db", "twice two.duckdb")[1]
    (command,) = re.findall("`embryo-eval (db compact.*)`", out)
    code, out, err = evaluate(*shlex.split(command))
    assert code == 0, err


def test_a_fact_whose_object_is_no_common_word_has_no_rank_among_them(
    world: Path, evaluate: Evaluate
) -> None:
    assert evaluate("--task", "lama", "--step", "0")[0] == 0
    with embryo_store.read(DB) as reader:
        rows = reader.sql(
            "SELECT object, gold_rank_common IS NULL, gold_logp_common IS NULL, gold_rank_common "
            "FROM lama JOIN facts USING (fact_id)"
        ).rows
    assert {word for word, no_rank, no_logp, _ in rows if no_rank and no_logp} == {"German", "Italian"}
    assert all(1 <= rank <= 5 for _, no_rank, _, rank in rows if not no_rank)


def test_the_same_checkpoint_gives_the_same_content_alone_and_beside_others(
    world: Path, evaluate: Evaluate, content: Content
) -> None:
    evaluate("--db", "together.duckdb")
    for task in sorted(TASKS, reverse=True):
        for step in ("10", "0"):
            assert evaluate("--db", "alone.duckdb", "--task", task, "--step", step)[0] == 0
    together, alone = content(Path("together.duckdb")), content(Path("alone.duckdb"))
    for table in together:
        if table not in ("facts", "lama", "evaluations"):
            assert alone[table] == together[table], table
    assert len(alone["lama"]) == len(together["lama"]) > 0


def test_weights_changed_under_the_same_name_are_evaluated_again(
    world: Path, little: ModuleType, evaluate: Evaluate
) -> None:
    evaluate()
    little.write_step(Path("checkpoints/tiny"), 10, little.make_model(99))
    code, out, _ = evaluate("--dry-run")
    assert "To evaluate: 5 of 12 results" in out, "all but the training log"
    code, out, _ = evaluate()
    assert (code, "Stored 5 results of 1 checkpoints" in out) == (0, True)
    assert len(stored()) == 14, "replaced, not added: lama has two protocols"
    with embryo_store.read(DB) as reader:
        rows = reader.sql("SELECT weights_hash FROM checkpoints WHERE step = 10").rows
    assert rows == ((hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),),)


def test_a_changed_corpus_and_a_changed_option_are_evaluated_again(world: Path, evaluate: Evaluate) -> None:
    evaluate()
    Path("embryo.toml").write_text("[task.mlm]\nrate = 0.3\n")
    assert "To evaluate: 2 of 12" in evaluate("--dry-run")[1]
    bank = Path("data/bank/bank.conllu")
    bank.write_text(bank.read_text() + "\n1\tRome\t_\tX\tNNP\t_\t0\t_\t_\t_\n")
    assert "To evaluate: 6 of 12" in evaluate("--dry-run")[1]


def test_options_come_from_the_command_line_then_the_file(world: Path, evaluate: Evaluate) -> None:
    Path("embryo.toml").write_text('db = "mine.duckdb"\n[eval]\ntask = ["train-log"]\n')
    assert evaluate()[0] == 0
    assert {key.task for key in embryo_store.done("mine.duckdb")} == {"train-log"}
    assert evaluate("--db", "other.duckdb", "--task", "mlm", "--step", "0")[0] == 0
    assert {(key.task, key.step) for key in embryo_store.done("other.duckdb")} == {("mlm", 0)}


def test_tasks_without_data_are_skipped_and_said(world: Path, evaluate: Evaluate) -> None:
    shutil.rmtree("data")
    code, out, _ = evaluate("--step", "10")
    assert code == 0
    for task in ("reconstruct", "mlm", "mask-predict"):
        assert f"skipped {task}: put a treebank (NAME.conllu) into a folder of its own in data, or" in out
    assert "skipped lama: put relations.jsonl and TREx/P*.jsonl" in out
    assert {key.task for key in stored()} == {"attention", "train-log"}


def test_data_that_was_named_and_is_not_there(world: Path, evaluate: Evaluate) -> None:
    assert_refused(evaluate("--data", "dta"), 2, "--data: the data folder dta does not exist")
    Path("embryo.toml").write_text('data = "embryo.toml"\n')
    assert_refused(evaluate("--watch"), 2, "embryo.toml: data: the data folder embryo.toml is not a folder")
    assert_refused(
        evaluate("--data", "data", "--frequencies", "txt", "--task", "lama"), 2, "txt does not exist"
    )
    assert evaluate("--data", "data", "--task", "train-log")[0] == 0


def test_list_says_what_is_done_out_of_date_failed_and_missing(world: Path, evaluate: Evaluate) -> None:
    evaluate("--step", "0")
    WEIGHTS.write_bytes(WEIGHTS.read_bytes()[:-100])
    assert evaluate("--task", "mlm")[0] == 1
    Path("embryo.toml").write_text("[task.attention]\nsize = 16\n")
    out = evaluate("list")[1]
    rows = {line.split()[1]: line.split()[2:] for line in out.splitlines() if line.strip().startswith("tiny")}
    assert rows["lama"] == ["facts", "1", "1"]
    assert rows["mlm"] == ["bank", "1", "1"]
    assert rows["attention"] == ["built-in", "1", "1"]
    assert evaluate("--list-tasks")[1].count("treebank") >= 3


def assert_refused(result: tuple[int, str, str], code: int, *said: str) -> None:
    assert result[0] == code, result
    assert "Traceback" not in result[1] + result[2]
    for words in said:
        assert words in result[2], result[2]
    assert result[2].count("embryo-eval: ") == 1


def test_no_checkpoint_folder(world: Path, evaluate: Evaluate) -> None:
    assert_refused(evaluate("--checkpoints", "nowhere"), 2, "nowhere does not exist", "--checkpoints")
    Path("empty").mkdir()
    assert_refused(evaluate("--checkpoints", "empty"), 2, "empty holds no run", "step-N/COMPLETE.json")
    assert_refused(
        evaluate("--checkpoints", "checkpoints/tiny"), 2, "is a run itself", "--checkpoints checkpoints"
    )
    assert not DB.exists()


def test_a_step_that_is_not_there(world: Path, evaluate: Evaluate) -> None:
    assert_refused(evaluate("--step", "7"), 2, "Step 7 was not saved", "tiny has 0 and 10")
    assert_refused(evaluate("--steps", "20:30:1"), 2, "tiny has 2 from 0 to 10")
    assert_refused(evaluate("--run", "tinny"), 2, "No run 'tinny'", "tiny")


def test_a_step_without_its_manifest_does_not_exist(world: Path, evaluate: Evaluate) -> None:
    WEIGHTS.with_name("COMPLETE.json").unlink()
    assert_refused(evaluate("--step", "10"), 2, "Nearest: tiny has 0")
    assert evaluate()[0] == 0
    assert {key.step for key in stored()} == {0}


@pytest.mark.parametrize(
    "arguments", [["--task", "mask-predikt"], ["--tasks"], ["--step", "x"], ["--dtype", "fp8"]]
)
def test_wrong_usage(world: Path, evaluate: Evaluate, arguments: list[str]) -> None:
    code, _, err = evaluate(*arguments)
    assert code == 2
    assert "embryo-eval" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("db = ", "no valid TOML"),
        ("db = 3", "Expected a path"),
        ("[eval]\ncolour = 1", "no option 'colour'"),
        ('[eval]\nthreads = "two"', "Expected a value of type int"),
        ("[task.mlm]\nrate = 2.0", "between 0 and 1"),
        (
            "[task.mlm]\nspeed = 2",
            "embryo.toml: [task.mlm] has no option 'speed'. Did you mean seed? It knows: rate",
        ),
        ("[task.mlm]\nrat = 0.2", "Did you mean rate?"),
        ("[task.attention]\nsice = 2", "[task.attention] has no option 'sice'. Did you mean size?"),
        (
            "chekpoints = 'x'",
            "nothing reads 'chekpoints'. Did you mean checkpoints? Outside of tables it knows",
        ),
        ("jobs = 2", "nothing reads 'jobs'. Did you mean jobs under [eval]?"),
        ("[evl]\njobs = 2", "nothing reads 'evl'. Did you mean [eval]?"),
        ("[eval]\nthread = 2", "[eval] has no option 'thread'. Did you mean threads?"),
        ("[task.mml]\nrate = 0.5", "Did you mean mlm?"),
    ],
)
def test_a_broken_configuration_file(world: Path, evaluate: Evaluate, text: str, said: str) -> None:
    Path("embryo.toml").write_text(text)
    assert_refused(evaluate("--task", "mlm"), 2, said)


def damage_truncate(weights: Path, little: ModuleType) -> None:
    weights.write_bytes(weights.read_bytes()[:1000])


def damage_flip(weights: Path, little: ModuleType) -> None:
    data = bytearray(weights.read_bytes())
    data[-50] ^= 255
    times = weights.stat()
    weights.write_bytes(data)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))


def damage_truncate_and_sign(weights: Path, little: ModuleType) -> None:
    damage_truncate(weights, little)
    little.write_manifest(weights.parent, 10)


def damage_overwrite(weights: Path, little: ModuleType) -> None:
    manifest = weights.with_name("COMPLETE.json")
    os.utime(manifest, ns=(manifest.stat().st_atime_ns, weights.stat().st_mtime_ns - 1))
    data = bytearray(weights.read_bytes())
    data[-50] ^= 1
    weights.write_bytes(data)


def damage_tokenizer(weights: Path, little: ModuleType) -> None:
    little.write_step(weights.parent.parent, 10, little.make_model(10, vocab_size=99))


def damage_head(weights: Path, little: ModuleType) -> None:
    from transformers import AlbertForSequenceClassification

    model = AlbertForSequenceClassification(little.make_model(10).config)
    little.write_step(weights.parent.parent, 10, model)


def damage_nan(weights: Path, little: ModuleType) -> None:
    model = little.make_model(10)
    model.predictions.bias.data[3] = float("nan")
    little.write_step(weights.parent.parent, 10, model)


def damage_manifest(weights: Path, little: ModuleType) -> None:
    weights.with_name("COMPLETE.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            damage_truncate,
            ("model.safetensors has 1,000 bytes, COMPLETE.json says", "copy or save the step again"),
        ),
        (damage_truncate_and_sign, ("no complete safetensors file",)),
        (damage_flip, ("model.safetensors is damaged: its SHA-256",)),
        (damage_overwrite, ("was changed after COMPLETE.json was written",)),
        (
            damage_tokenizer,
            ("the tokenizer has 66 tokens, the model's vocab_size is 99", "do not belong together"),
        ),
        (damage_head, ("do not belong together", "unexpected keys for AlbertForMaskedLM")),
        (damage_nan, ("predictions.bias holds NaN or infinity",)),
        (damage_manifest, ("COMPLETE.json cannot be read as JSON",)),
    ],
)
def test_a_checkpoint_that_cannot_be_evaluated_is_recorded_and_passed_by(
    world: Path,
    little: ModuleType,
    evaluate: Evaluate,
    damage: Callable[[Path, ModuleType], None],
    said: tuple[str, ...],
) -> None:
    damage(WEIGHTS, little)
    code, out, err = evaluate("--task", "mlm", "--task", "train-log")
    assert code == 1
    assert "Traceback" not in out + err
    assert {(key.task, key.step) for key in stored()} == {("mlm", 0), ("train-log", 0), ("train-log", 10)}
    assert {(key.task, key.step) for key in stored("failed")} == {("mlm", 10)}
    with embryo_store.read(DB) as reader:
        ((error,),) = reader.sql("SELECT error FROM evaluations WHERE status = 'failed'").rows
    for words in said:
        assert words in str(error)
        assert words in out
    little.write_step(Path("checkpoints/tiny"), 10, little.make_model(10))
    assert evaluate("--task", "mlm")[0] == 0
    assert not stored("failed")


def test_a_broken_corpus_line(world: Path, evaluate: Evaluate) -> None:
    Path("data/bank/bank.conllu").write_text("1\tRome\n")
    assert_refused(evaluate(), 2, "data/bank/bank.conllu, line 1: expected 10 columns")
    facts = Path("data/facts/TREx/P36.jsonl")
    facts.write_text('{"sub_label": "France"}\n')
    assert_refused(evaluate("--task", "lama"), 2, f"{facts}, line 1: expected a 'obj_label'")
    assert evaluate("--task", "train-log")[0] == 0, "a corpus that no task reads does no harm"


def test_a_database_that_is_none(world: Path, evaluate: Evaluate) -> None:
    DB.write_text("these are my notes, " * 1000)
    before = DB.read_bytes()
    assert_refused(evaluate(), 2, "results.duckdb")
    assert DB.read_bytes() == before


def test_a_database_of_a_newer_schema(world: Path, evaluate: Evaluate) -> None:
    evaluate("--task", "train-log")
    with duckdb.connect(DB) as connection:
        connection.sql("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    assert_refused(evaluate("--task", "mlm"), 2, "99")


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user who owns nothing here, where the tests run as root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_database_that_may_not_be_written(
    world: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate("--task", "train-log")
    with TemporaryDirectory() as folder:
        shutil.copytree(world, folder, dirs_exist_ok=True)
        monkeypatch.chdir(folder)
        DB.chmod(0o444)
        Path(folder).chmod(0o555)
        with without_privileges():
            refused = evaluate("--task", "mlm")
        Path(folder).chmod(0o755)
        assert_refused(refused, 2, "results.duckdb")
        assert {key.task for key in stored()} == {"train-log"}
        monkeypatch.chdir(world)


def test_a_database_in_a_folder_that_is_not_there(world: Path, evaluate: Evaluate) -> None:
    assert_refused(evaluate("--db", "nowhere/results.duckdb"), 2, "nowhere")


@pytest.mark.parametrize("content", ["[]", "\x00"])
def test_a_run_json_that_is_none_stops_before_anything_is_computed(
    world: Path, evaluate: Evaluate, content: str
) -> None:
    Path("checkpoints/tiny/run.json").write_text(content)
    code, _, err = evaluate("--task", "mlm")
    assert code == 2
    assert "checkpoints/tiny/run.json" in err
    assert "Traceback" not in err
    assert not Path(DB).exists()


def test_names_that_cannot_be_shown(world: Path, evaluate: Evaluate) -> None:
    Path("data/bank").rename("data/b\x1b[31m")
    code, _, err = evaluate("--dry-run")
    assert code == 0
    assert "'b\\x1b[31m' is not used: its name cannot be shown. Rename it." in err
    Path("checkpoints/tiny").rename("checkpoints/t\ny")
    code, _, err = evaluate("--dry-run")
    assert code == 2
    assert "a run's folder is named 't\\ny', which cannot be shown. Rename it." in err
