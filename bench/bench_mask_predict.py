"""Mask prediction at base size: the published way of doing it against ours, in one run.

The published loop, re-done on today's library: one sentence at a time, up to 16 masked copies a batch, fp32,
logits and loss at every position. Ours: all masked copies by length under a budget of pieces, last layer and
head on the masked positions alone, timed when it has run once, as in a run over many checkpoints. Sentences
are those of the English Web Treebank where EMBRYO_DATA is set, else of the built-in list, over and over. The
share of the peak, which is that of square products in each one's number format, counts dense products alone.
"at peak" is the ratio that ours would have at the whole of it: there only fewer operations or a faster number
format make it larger. The last column is the share of words
for which both say the same pieces: more than is asked of trained models, that is to judge alike, for random
weights hold many words for next to equally likely. On a GPU ratios are by the clock.

usage: bench_mask_predict.py [SENTENCES] [--device cuda] [--dtype fp32]
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from base_models import (
    FAMILIES,
    PRODUCTS,
    VOCABULARY,
    Published,
    gemm_peak,
    machine,
    save,
    timed,
    without_store,
)

without_store()

from evaluators.checkpoints import CheckpointStore  # noqa: E402
from evaluators.compute import look  # noqa: E402
from evaluators.corpora.base import WordCorpus  # noqa: E402
from evaluators.corpora.conllu import read_conllu  # noqa: E402
from evaluators.corpora.sentences import built_in  # noqa: E402
from evaluators.hardware import Dtype, resolve_dtype  # noqa: E402
from evaluators.loading import Resident  # noqa: E402
from evaluators.tasks.mask_predict import MaskPredict  # noqa: E402
from evaluators.tasks.words import argmax  # noqa: E402
from evaluators.vocabulary import load_vocabulary  # noqa: E402

COPIES = 16
#: The published loop's: twelve layers and the head over the vocabulary, as wide as the embeddings.
PUBLISHED = {
    family: 2 * (12 * (4 * 768**2 + 2 * 768 * 3072) + 768 * wide + wide * VOCABULARY)
    for family, wide in (("albert", 128), ("bert", 768))
}

#: What was said for every word, piece by piece.
Said = list[list[int]]


def corpus(sentences: int) -> WordCorpus:
    """The first sentences of the treebank's development part, or of the built-in list."""
    if "EMBRYO_DATA" in os.environ:
        whole = read_conllu(Path(os.environ["EMBRYO_DATA"]) / "ewt" / "en_ewt-ud-dev.conllu.zst", "ewt")
        words, tags = whole.words[:sentences], whole.tags[:sentences]
    else:
        again = itertools.islice(itertools.cycle(built_in().sentences), sentences)
        words = tuple(tuple(line.split()) for line in again)
        tags = tuple(("X",) * len(line) for line in words)
    return WordCorpus("bench", "bench", "bench", words, tags)


def published_loop(published: Published, words: WordCorpus) -> Said:
    """One sentence at a time; whole words of copies in batches of 16; loss and logits everywhere."""
    mask = published.tokenizer.mask_token_id
    said = []
    for line in words.words:
        ids, places = [published.tokenizer.cls_token_id], []
        for word in line:
            pieces = published.pieces(word)
            places.append(range(len(ids), len(ids) + len(pieces)))
            ids += pieces
        ids.append(published.tokenizer.sep_token_id)
        copies = [[mask if i in mine else t for i, t in enumerate(ids)] for mine in places]
        for start in range(0, len(copies), COPIES):
            shown = copies[start : start + COPIES]
            best = published.ask(shown, [ids] * len(shown)).argmax(-1).tolist()
            said += [
                [row[place] for place in mine]
                for row, mine in zip(best, places[start : start + COPIES], strict=True)
            ]
    return said


def ours(folder: Path, words: WordCorpus, device: str, dtype: Dtype) -> tuple[Callable[[], Said], int]:
    """The evaluator on a loaded checkpoint, and how many pieces it reads."""
    saved = CheckpointStore(folder.parent.parent).open(folder.parent.name, 0)
    resident = Resident(device, dtype)
    resident.hold(saved)
    prepared = MaskPredict().prepare(words, load_vocabulary(saved), 512)

    def work() -> Said:
        said: Said = [[] for _ in prepared.pieced.judged]
        for asked, (_, seen) in zip(prepared.asked, look(resident, prepared.stream), strict=True):
            best = argmax(seen.head, seen.at(asked.row, asked.column))
            for owner, token in zip(asked.owner.tolist(), best.tolist(), strict=True):
                said[owner].append(token)
        return said

    return work, prepared.stream.pieces


def compare(folder: Path, words: WordCorpus, device: str, dtype: Dtype, peaks: tuple[float, float]) -> None:
    """Both ways on one model, and what they cost. ``peaks``: of fp32 and of ours."""
    family = folder.parent.name
    published = Published.load(folder, device)
    published.ask([[2, 3]], [[2, 3]])
    theirs, wall, cpu = timed(lambda: published_loop(published, words), device)
    work, pieces = ours(folder, words, device, dtype)
    work()
    mine, own_wall, own_cpu = timed(work, device)
    spent, own_spent = (cpu, own_cpu) if device == "cpu" else (wall, own_wall)
    theirs_of_peak = pieces * PUBLISHED[family] / spent / peaks[0]
    at_peak = pieces * PRODUCTS / peaks[1]
    same = np.mean([a == b for a, b in zip(theirs, mine, strict=True)])
    label = f"{family}-base, ours"
    print(f"{family + '-base, published':24}{wall:8.1f}{cpu:8.1f}{1:8.2f}{theirs_of_peak:9.2f}")
    ratio, share = spent / own_spent, at_peak / own_spent
    print(
        f"{label:24}{own_wall:8.1f}{own_cpu:8.1f}{ratio:8.2f}{share:9.2f}{spent / at_peak:9.2f}{same:12.2%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sentences", nargs="?", type=int, default=12)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    words, device, dtype = corpus(given.sentences), given.device, resolve_dtype(given.dtype)
    number = torch.bfloat16 if dtype == "bf16" else torch.float32
    peaks = gemm_peak(torch.float32, device), gemm_peak(number, device)
    count = sum(map(len, words.words))
    print(f"{len(words.words)} sentences, {count} words; {machine(device)}; ours in {dtype}")
    print(f"GEMM peak {peaks[0] / 1e12:.3f} TFLOP/s fp32, {peaks[1] / 1e12:.3f} {dtype}\n")
    print(f"{'':24}{'wall s':>8}{'CPU s':>8}{'ratio':>8}{'of peak':>9}{'at peak':>9}{'said alike':>12}")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as root:
            text = (" ".join(line) for line in words.words)
            folder = save(Path(root) / "checkpoints" / family / "step-00000000", family, text)
            compare(folder, words, device, dtype, peaks)


if __name__ == "__main__":
    main()
