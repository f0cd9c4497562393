"""What a series costs beyond its compute: 200 tiny checkpoints, every task that needs no further data.

Measured in one run: CPU seconds of the whole command and of its forward passes, so that loading, planning and
writing are what is left; the memory of the process over the run; the plan, made again when all is done.
Limits: 0.3 s a checkpoint beyond compute, and memory that stays flat.

usage: bench_plan.py [CHECKPOINTS]
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import BertWordPieceTokenizer
from transformers import AlbertConfig, AlbertForPreTraining, PreTrainedTokenizerFast

from evaluators.cli import main as embryo_eval
from evaluators.compute import Computer
from evaluators.corpora.sentences import built_in
from evaluators.desk import Desk

LIMIT = 0.3
#: Memory at the end against that after a quarter of the run.
FLAT = 1.1
#: CPU seconds a checkpoint to find that all is done.
PLAN = 0.01


def make_world(root: Path, count: int) -> None:
    """Checkpoints of a model 32 wide, a treebank of the built-in sentences, a few facts."""
    transformers.logging.disable_progress_bar()
    sentences = built_in().sentences
    pieces = BertWordPieceTokenizer(lowercase=True)
    pieces.train_from_iterator(sentences, vocab_size=1000, show_progress=False)
    special = {name: f"[{name.partition('_')[0].upper()}]" for name in
               ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")}  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, model_max_length=128, **special)
    shape = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "embedding_size": 16}
    config = AlbertConfig(
        vocab_size=len(tokenizer), num_hidden_layers=2, max_position_embeddings=128, **shape
    )
    for number in range(count):
        torch.manual_seed(number)
        folder = root / "checkpoints" / "tiny" / f"step-{number * 1000:08d}"
        AlbertForPreTraining(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        files = {
            path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in folder.iterdir()
        }
        (folder / "COMPLETE.json").write_text(
            json.dumps({"schema_version": 1, "step": number, "files": files})
        )
    run = {"schema_version": 1, "name": "tiny", "family": "albert", "recipe": {"total_steps": count * 1000}}
    (root / "checkpoints" / "tiny" / "run.json").write_text(json.dumps(run))
    lines = (json.dumps({"step": step, "loss": 1.0}) + "\n" for step in range(0, count * 1000, 100))
    (root / "checkpoints" / "tiny" / "train_log.jsonl").write_text("".join(lines))
    bank = root / "data" / "bank" / "bank.conllu"
    bank.parent.mkdir(parents=True)
    rows = [
        "".join(
            f"{i}\t{word}\t_\tX\tNN\t_\t0\t_\t_\t_\n" for i, word in enumerate(line.split()[:12], start=1)
        )
        for line in sentences[:10]
    ]
    bank.write_text("\n".join(rows) + "\n")
    facts = root / "data" / "facts" / "TREx"
    facts.mkdir(parents=True)
    relation = {"relation": "P36", "template": "The capital of [X] is [Y] .", "type": "1-1"}
    (facts.parent / "relations.jsonl").write_text(json.dumps(relation) + "\n")
    words = sorted({word for line in sentences for word in line.split() if word.isalpha()})[:200]
    (facts / "P36.jsonl").write_text(
        "".join(json.dumps({"sub_label": "France", "obj_label": word}) + "\n" for word in words)
    )


class Meter:
    """CPU seconds of forward passes, and the process's memory after every commit."""

    def __init__(self) -> None:
        self.passes = 0.0
        self.memory: list[int] = []
        forward, commit = Computer._pass, Desk.commit

        def timed(computer: Computer, *arguments: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return forward(computer, *arguments, **options)
            finally:
                self.passes += time.process_time() - began

        def weighed(desk: Desk, answered: Sequence[Any]) -> None:
            commit(desk, answered)
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") // 2**20)

        Computer._pass = timed  # type: ignore[method-assign]
        Desk.commit = weighed  # type: ignore[method-assign]


def command(*arguments: str) -> tuple[float, float]:
    """CPU and wall seconds of one command, which has to succeed; what it prints is left out."""
    began, wall = time.process_time(), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert embryo_eval(arguments) == 0
    return time.process_time() - began, time.perf_counter() - wall


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        make_world(Path(folder), count)
        os.chdir(folder)
        command("--db", "warm.duckdb", "--step", "0")
        meter = Meter()
        cpu, wall = command()
        beyond = (cpu - meter.passes) / count
        quarter, end = meter.memory[len(meter.memory) // 4], meter.memory[-1]
        again, _ = command("--dry-run")
        results = len(meter.memory)
        print(f"{count} checkpoints, {results} commits, {wall:.0f} s by the clock, {cpu:.0f} s of CPU")
        rows = [
            ("CPU s a checkpoint beyond passes", beyond, LIMIT),
            ("memory MiB, end : quarter", end / quarter, FLAT),
            ("CPU s to plan it again", again, PLAN * count),
        ]
        print(f"{'':34}{'seen':>10}{'limit':>10}{'ratio':>8}")
        for name, seen, limit in rows:
            print(f"{name:34}{seen:10.3f}{limit:10.3f}{seen / limit:8.2f}")
        print(f"memory at the end: {end} MiB")


if __name__ == "__main__":
    main()
