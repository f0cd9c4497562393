"""The training log: every line to the first saved step at or after it, broken lines named."""

from pathlib import Path

import pytest

from evaluators.errors import InputError
from evaluators.tasks.train_log import cut_log, read_log


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_text("\n".join(lines) + end)
    return path


def test_lines_go_to_the_first_saved_step_at_or_after_them(tmp_path: Path) -> None:
    log = write(
        tmp_path / "train_log.jsonl",
        '{"step": 5, "loss": 3.5, "note": "text is no number", "ok": true}',
        '{"step": 10, "loss": 3.0}',
        '{"step": 15, "loss": 2.5}',
        '{"step": 10, "loss": 2.9, "seconds": 1.5}',
        '{"step": 25, "loss": 2.0}',
    )
    slices = cut_log(read_log(log), [0, 10, 20])
    told = {
        checkpoint: list(zip(part.log.step.tolist(), part.log.metric, part.log.value.tolist(), strict=True))
        for checkpoint, part in slices.items()
    }
    assert told == {
        0: [],
        10: [(5, "loss", 3.5), (10, "loss", 2.9), (10, "seconds", 1.5)],
        20: [(15, "loss", 2.5)],
    }


def test_a_slice_is_known_by_its_numbers(tmp_path: Path) -> None:
    first = cut_log(read_log(write(tmp_path / "a", '{"step": 1, "loss": 1.0}')), [1])
    again = cut_log(
        read_log(write(tmp_path / "b", '{"loss": 1.0, "step": 1}', '{"step": 2, "loss": 9}')), [1]
    )
    other = cut_log(read_log(write(tmp_path / "c", '{"step": 1, "loss": 1.5}')), [1])
    assert first[1].data_hash == again[1].data_hash != other[1].data_hash


def test_a_line_that_is_still_being_written_is_passed_by(tmp_path: Path) -> None:
    log = write(tmp_path / "log", '{"step": 1, "loss": 1.0}', '{"step": 2, "lo', end="")
    assert list(read_log(log)) == [1]


@pytest.mark.parametrize("line", ['{"step": 2, "lo', '{"loss": 1}', '{"step": "2"}', "[]"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    log = write(tmp_path / "log", '{"step": 1, "loss": 1.0}', line)
    with pytest.raises(InputError, match=rf"{log}, line 2: "):
        read_log(log)
