"""Mask prediction at base size: the published way of doing it against ours, in one run.

The published loop, re-done on today's library: one sentence at a time, up to 16 masked copies a batch, fp32,
logits and loss at every position. Ours: all masked copies by length under a budget of pieces, last layer and
head on the masked positions alone. Sentences are those of the English Web Treebank where EMBRYO_DATA is
set, else of the built-in list. The share of the GEMM peak counts the encoder's products alone.

usage: bench_mask_predict.py [SENTENCES]
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import (
    AlbertConfig,
    AlbertForPreTraining,
    BertConfig,
    BertForPreTraining,
    PreTrainedTokenizerFast,
)

from evaluators.checkpoints import CheckpointStore
from evaluators.compute import look
from evaluators.corpora.base import WordCorpus
from evaluators.corpora.conllu import read_conllu
from evaluators.corpora.sentences import built_in
from evaluators.hardware import resolve_dtype
from evaluators.loading import Resident
from evaluators.tasks.mask_predict import MaskPredict
from evaluators.vocabulary import load_vocabulary

VOCABULARY = 30_522
COPIES = 16
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def corpus(sentences: int) -> WordCorpus:
    """The first sentences of the treebank's development part, or of the built-in list."""
    if "EMBRYO_DATA" in os.environ:
        whole = read_conllu(Path(os.environ["EMBRYO_DATA"]) / "ewt" / "en_ewt-ud-dev.conllu.zst", "ewt")
        words, tags = whole.words[:sentences], whole.tags[:sentences]
    else:
        words = tuple(tuple(line.split()) for line in built_in().sentences[:sentences])
        tags = tuple(("X",) * len(line) for line in words)
    return WordCorpus("bench", "bench", "bench", words, tags)


def save(folder: Path, family: str, words: WordCorpus) -> Path:
    """A random base-size model and a WordPiece tokenizer as a checkpoint."""
    torch.manual_seed(0)
    if family == "albert":
        shape = {
            "hidden_size": 768,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "hidden_act": "gelu_new",
        }
        model = AlbertForPreTraining(AlbertConfig(vocab_size=VOCABULARY, embedding_size=128, **shape))
    else:
        model = BertForPreTraining(BertConfig(vocab_size=VOCABULARY, hidden_act="gelu_new"))
    model.save_pretrained(folder)
    pieces = BertWordPieceTokenizer(lowercase=True)
    pieces.train_from_iterator((" ".join(line) for line in words.words), vocab_size=4000, show_progress=False)
    pieces.add_tokens([f"[unused{i}]" for i in range(VOCABULARY - pieces.get_vocab_size())])
    special = {f"{name}_token": token for name, token in SPECIAL.items()}
    PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, **special).save_pretrained(folder)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
    }
    (folder / "COMPLETE.json").write_text(json.dumps({"schema_version": 1, "step": 0, "files": files}))
    return folder


def published_loop(folder: Path, words: WordCorpus) -> list[bool]:
    """One sentence at a time; whole words of copies in batches of 16; loss and logits everywhere."""
    kind = AlbertForPreTraining if "albert" in (folder / "config.json").read_text() else BertForPreTraining
    model = kind.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    right = []
    for line in words.words:
        ids, places = [tokenizer.cls_token_id], []
        for word in line:
            pieces = tokenizer(word, add_special_tokens=False)["input_ids"]
            places.append(range(len(ids), len(ids) + len(pieces)))
            ids += pieces
        ids.append(tokenizer.sep_token_id)
        copies = [[tokenizer.mask_token_id if i in mine else t for i, t in enumerate(ids)] for mine in places]
        for start in range(0, len(copies), COPIES):
            shown = torch.tensor(copies[start : start + COPIES])
            gold = torch.tensor([ids]).expand(len(shown), -1)
            with torch.no_grad():
                logits = model(input_ids=shown).prediction_logits
                torch.nn.functional.cross_entropy(logits.flatten(0, 1), gold.flatten())
            best = logits.argmax(-1).tolist()
            right += [
                all(row[place] == ids[place] for place in mine)
                for row, mine in zip(best, places[start : start + COPIES], strict=True)
            ]
    return right


def gemm_peak(dtype: torch.dtype) -> float:
    """Products of square matrices, in operations a second of wall time."""
    a = torch.randn(2048, 2048).to(dtype)
    _ = a @ a
    began = time.perf_counter()
    for _ in range(8):
        _ = a @ a
    return 8 * 2 * 2048**3 / (time.perf_counter() - began)


def timed(work: Callable[[], list[bool]]) -> tuple[list[bool], float, float]:
    """The answer, wall seconds and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return answer, time.perf_counter() - wall, time.process_time() - cpu


def ours(folder: Path, words: WordCorpus) -> tuple[Callable[[], list[bool]], int]:
    """The evaluator on a loaded checkpoint, and how many pieces it reads."""
    saved = CheckpointStore(folder.parent.parent).open(folder.parent.name, 0)
    resident = Resident("cpu", resolve_dtype("auto"))
    resident.hold(saved)
    prepared = MaskPredict().prepare(words, load_vocabulary(saved), 512)

    def work() -> list[bool]:
        collector = prepared.start()
        for index, batch in enumerate(prepared.stream.batches):
            collector.see(index, batch, look(resident, prepared.stream, index))
        return list(collector.findings()["paper"].payloads[0].correct)

    return work, prepared.stream.pieces


def main() -> None:
    words = corpus(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
    dtype = resolve_dtype("auto")
    peak = gemm_peak(torch.bfloat16 if dtype == "bf16" else torch.float32)
    count = sum(map(len, words.words))
    print(f"{len(words.words)} sentences, {count} words; {torch.get_num_threads()} threads; ours in {dtype}")
    print(f"{dtype} GEMM peak {peak / 1e12:.3f} TFLOP/s\n")
    print(f"{'':22} {'wall s':>8} {'CPU s':>8} {'CPU ratio':>10} {'of peak':>8} {'same words':>11}")
    for family in ("albert", "bert"):
        with tempfile.TemporaryDirectory() as root:
            folder = save(Path(root) / "checkpoints" / family / "step-00000000", family, words)
            theirs, wall, cpu = timed(lambda folder=folder: published_loop(folder, words))
            print(f"{family + '-base, published':22} {wall:8.1f} {cpu:8.1f} {1:10.2f}")
            work, pieces = ours(folder, words)
            mine, own_wall, own_cpu = timed(work)
            # Eleven layers whole; of the last, keys and values of all pieces (the rest is small).
            products = pieces * 2 * (11 * (4 * 768**2 + 2 * 768 * 3072) + 2 * 768**2)
            share = products / own_wall / peak
            same = sum(a == b for a, b in zip(theirs, mine, strict=True)) / count
            label = f"{family}-base, ours"
            print(
                f"{label:22} {own_wall:8.1f} {own_cpu:8.1f} {cpu / own_cpu:10.2f} {share:8.2f} {same:11.2%}"
            )


if __name__ == "__main__":
    main()
