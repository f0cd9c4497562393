"""Base-size models with random weights and the published way of asking them, for the evaluators' benchmarks.

Random weights cost what trained ones cost. Nothing here opens a results store.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import BertWordPieceTokenizer
from transformers import (
    AlbertConfig,
    AlbertForPreTraining,
    BertConfig,
    BertForPreTraining,
    PreTrainedTokenizerFast,
)

VOCABULARY = 30_522
#: Operations of ours a piece where masked ones alone are asked for: eleven layers, without the queries, keys
#: and values of the first (the rest is small).
PRODUCTS = 2 * (11 * (4 * 768**2 + 2 * 768 * 3072) - 3 * 768**2)
FAMILIES = ("albert", "bert")
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def without_store() -> None:
    """Lets the evaluators be imported where no DuckDB is installed (a GPU machine that was lent bare): of the
    store's package they need the records alone to compute.
    """
    try:
        import embryo_store  # noqa: F401
    except ModuleNotFoundError:
        root = Path(__file__).resolve().parent.parent
        sys.path.insert(0, str(root))
        bare = types.ModuleType("embryo_store")
        bare.__path__ = [str(root / "embryo_store")]
        sys.modules["embryo_store"] = bare


def save(folder: Path, family: str, text: Iterable[str], vocabulary: Path | None = None) -> Path:
    """A random base-size model as a checkpoint of step 0, with a WordPiece tokenizer of this ``vocabulary``,
    or trained on ``text``.
    """
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    if family == "albert":
        shape = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
        config = AlbertConfig(vocab_size=VOCABULARY, embedding_size=128, hidden_act="gelu_new", **shape)
        model = AlbertForPreTraining(config)
    else:
        model = BertForPreTraining(BertConfig(vocab_size=VOCABULARY, hidden_act="gelu_new"))
    return save_model(folder, model, text, vocabulary=vocabulary)


def save_model(
    folder: Path, model: Any, text: Iterable[str], least: int = VOCABULARY, vocabulary: Path | None = None
) -> Path:
    """A model as a checkpoint of step 0, with a WordPiece tokenizer of ``least`` tokens made of ``text``, or
    with the words of ``vocabulary``.
    """
    model.save_pretrained(folder)
    pieces = BertWordPieceTokenizer(str(vocabulary) if vocabulary else None, lowercase=True)
    if vocabulary is None:
        pieces.train_from_iterator(text, vocab_size=min(4000, least), show_progress=False)
    pieces.add_tokens([f"[unused{i}]" for i in range(least - pieces.get_vocab_size())])
    special = {f"{name}_token": token for name, token in SPECIAL.items()}
    PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, **special).save_pretrained(folder)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
        if path.name != "COMPLETE.json"
    }
    (folder / "COMPLETE.json").write_text(json.dumps({"schema_version": 1, "step": 0, "files": files}))
    return folder


@dataclass(frozen=True)
class Published:
    """The authors' way on today's library: fp32, logits and loss at every position."""

    model: Any
    tokenizer: Any
    device: str

    @classmethod
    def load(cls, folder: Path, device: str) -> Published:
        """The model as transformers loads it by default."""
        albert = "albert" in json.loads((folder / "config.json").read_text())["model_type"]
        kind = AlbertForPreTraining if albert else BertForPreTraining
        model = kind.from_pretrained(folder).eval().to(device)
        return cls(model, PreTrainedTokenizerFast.from_pretrained(folder), device)

    def pieces(self, text: str) -> list[int]:
        """The ids of ``text`` on its own."""
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def ask(self, shown: Sequence[Sequence[int]], gold: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits (rows, length, vocabulary) for rows of one length, after the loss that the script takes."""
        ids = torch.tensor(shown, device=self.device)
        with torch.no_grad():
            logits: torch.Tensor = self.model(input_ids=ids).prediction_logits
            told = torch.tensor(gold, device=self.device)
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), told.flatten())
        return logits


def gemm_peak(dtype: torch.dtype, device: str = "cpu") -> float:
    """Products of square matrices, in operations a second of a processor's, or on a GPU by the clock; the
    best of three.
    """
    side = 2048 if device == "cpu" else 8192
    a = torch.randn(side, side, device=device).to(dtype)
    a @ a
    place = 2 if device == "cpu" else 1
    seconds = [timed(lambda: [a @ a for _ in range(8)], device)[place] for _ in range(3)]
    return 8 * 2 * side**3 / min(seconds)


def timed(work: Callable[[], Any], device: str = "cpu") -> tuple[Any, float, float]:
    """The answer, seconds by the clock, and seconds of all processors together."""
    if device != "cpu":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return answer, time.perf_counter() - wall, time.process_time() - cpu


def machine(device: str) -> str:
    """What computes, in words."""
    if device != "cpu":
        name = torch.cuda.get_device_name()
        return f"{name}, torch {torch.__version__}, transformers {transformers.__version__}"
    return f"{torch.get_num_threads()} threads of {os.cpu_count()} processors, torch {torch.__version__}"
