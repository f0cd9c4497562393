"""One pass for reconstruction, attention and the features of all layers, against the pass alone.

Base size, sentences of the English Web Treebank where EMBRYO_DATA is set, else the built-in ones. Held
against: the same batches through the same model as transformers computes it, with attentions and the head
over the vocabulary at every piece, and nothing done with them. Beside it our own way through the same. All
three: every word judged, all statistics and maps of attention, every word's mean state at every layer, and
what is computed at the end. Limit: 1.2 times the CPU seconds. Few sentences make small batches, in which
calls cost more than what they compute.

usage: bench_one_pass.py [SENTENCES] [--device cuda] [--dtype fp32]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from base_models import FAMILIES, machine, save, timed, without_store

without_store()

from bench_mask_predict import corpus  # noqa: E402

from evaluators.checkpoints import CheckpointStore  # noqa: E402
from evaluators.compute import look  # noqa: E402
from evaluators.corpora.base import WordCorpus  # noqa: E402
from evaluators.hardware import Dtype, resolve_dtype  # noqa: E402
from evaluators.loading import Resident  # noqa: E402
from evaluators.probes.features import FeatureBank, Pooling  # noqa: E402
from evaluators.tasks.attention import Attention  # noqa: E402
from evaluators.tasks.reconstruct import Reconstruct  # noqa: E402
from evaluators.tasks.words import pieced_words, unmasked  # noqa: E402
from evaluators.vocabulary import load_vocabulary  # noqa: E402

LIMIT = 1.2
LAYERS, WIDTH = 13, 768


def compare(folder: Path, words: WordCorpus, device: str, dtype: Dtype) -> None:
    """Both on one model, and what they cost."""
    family = folder.parent.name
    saved = CheckpointStore(folder.parent.parent).open(family, 0)
    resident = Resident(device, dtype)
    resident.hold(saved)
    vocabulary = load_vocabulary(saved)
    _, pieced = pieced_words(words, vocabulary, 512)
    stream = unmasked(words, pieced, vocabulary, 512, layers=True)
    tasks = [task.prepare(words, vocabulary, 512) for task in (Reconstruct(), Attention(words=True))]
    pools, first = [], 0
    for batch in stream.batches:
        owner = np.stack([pieced.sentences[item].owner for item in batch.item]).ravel()
        pieces = np.flatnonzero(owner >= 0)
        offsets = np.flatnonzero(np.diff(owner[pieces], prepend=-1))
        pools.append(Pooling(first, torch.from_numpy(pieces), torch.from_numpy(offsets)))
        first += len(offsets)

    def alone() -> None:
        for batch in stream.batches:
            out = resident.body(torch.from_numpy(batch.ids), attentions=True)
            for part in out.last_hidden_state.flatten(0, 1).split(1024):
                resident.head()(part)

    def bare_ours() -> None:
        for _, seen in look(resident, stream):
            for part in seen.hidden.flatten(0, 1).split(1024):
                seen.head(part)

    def shared() -> None:
        collectors = [task.start() for task in tasks]
        bank = FeatureBank(LAYERS, first, WIDTH, 4e9, torch.device(device))
        for index, (batch, seen) in enumerate(look(resident, stream)):
            for collector in collectors:
                collector.see(index, batch, seen)
            bank.fill(pools[index], seen.layers)
        for collector in collectors:
            collector.findings()

    place = 1 if device == "cpu" else 0
    against = 0.0
    for label, work in ("pass alone", alone), ("our pass alone", bare_ours), ("all three", shared):
        work()
        _, *seconds = timed(work, device)
        against = against or seconds[place]
        ratio = seconds[place] / against
        print(f"{family + '-base, ' + label:28}{seconds[0]:8.1f}{seconds[1]:8.1f}{ratio:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sentences", nargs="?", type=int, default=400)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    words, dtype = corpus(given.sentences), resolve_dtype(given.dtype)
    count = sum(map(len, words.words))
    print(f"{len(words.words)} sentences, {count} words; {machine(given.device)}; {dtype}\n")
    print(f"{'':28}{'wall s':>8}{'CPU s':>8}{'ratio':>8}   (limit {LIMIT})")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as root:
            text = (" ".join(line) for line in words.words)
            folder = save(Path(root) / "checkpoints" / family / "step-00000000", family, text)
            compare(folder, words, given.device, dtype)


if __name__ == "__main__":
    main()
