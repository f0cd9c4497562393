"""LAMA at base size: the authors' loop, one fact at a time in fp32 with logits everywhere, against ours.

LAMA's own facts with BERT's vocabulary where EMBRYO_DATA is set, else 20,000 made-up ones of 25 relations,
whose words are those of the built-in sentences, and whose prompts are as long as LAMA's: the loop's facts
cost nearly alike whatever their length, ours by the piece. The published loop answers a sample, drawn at
random, and is scaled up. Ours answers all, ranks, log-probabilities and ten best answers included, in both
protocols. "at peak" is the ratio that ours would have if it did nothing but its dense products, as fast as
large square ones. On a GPU ratios are by the clock, on a CPU by CPU seconds.

usage: bench_lama.py [FACTS] [SAMPLE] [--family albert] [--device cuda] [--dtype fp32]
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from base_models import FAMILIES, PRODUCTS, Published, gemm_peak, machine, save, timed, without_store

without_store()

from embryo_store.records import LamaAnswers, Relation  # noqa: E402
from evaluators.checkpoints import CheckpointStore  # noqa: E402
from evaluators.compute import look  # noqa: E402
from evaluators.corpora.base import Fact, FactCorpus  # noqa: E402
from evaluators.corpora.lama import read_lama  # noqa: E402
from evaluators.corpora.sentences import built_in  # noqa: E402
from evaluators.hardware import Dtype, resolve_dtype  # noqa: E402
from evaluators.loading import Resident  # noqa: E402
from evaluators.tasks.lama import Lama  # noqa: E402
from evaluators.vocabulary import load_vocabulary  # noqa: E402

#: Templates as long as those of table 8, which have 4.6 pieces.
TEMPLATES = ("The capital of [X] is [Y] .", "[X] was born in [Y] .", "[X] is located in [Y] .",
             "The official language of [X] is [Y] .", "[X] was created in [Y] .")  # fmt: skip


#: How many of LAMA's subjects have 1, 2, 3 … pieces of BERT's vocabulary.
SUBJECTS = (827, 4750, 5330, 3720, 1852, 950, 470, 222, 106, 72)


def facts_of(count: int) -> tuple[FactCorpus, Path | None]:
    """Facts in an order of no meaning, and the vocabulary that goes with them, where there is one."""
    if "EMBRYO_DATA" not in os.environ:
        return make_facts(count), None
    data = Path(os.environ["EMBRYO_DATA"])
    corpus = read_lama(data / "lama", "lama")
    facts = random.Random(0).sample(corpus.facts, min(count, len(corpus.facts)))
    return replace(corpus, facts=tuple(facts)), data / "vocab" / "bert-base-uncased-vocab.txt"


def make_facts(count: int) -> FactCorpus:
    """Facts whose subjects and objects are words of the built-in sentences."""
    chance = random.Random(0)
    # Words that occur more than once are mostly one piece.
    often = Counter(word for line in built_in().sentences for word in line.lower().split() if word.isalpha())
    words = sorted(word for word, times in often.items() if times > 1)
    relations = tuple(Relation(f"P{n}", TEMPLATES[n % len(TEMPLATES)], "N-1") for n in range(25))
    facts = tuple(
        Fact(
            f"P{number % 25}",
            " ".join(chance.choices(words, k=chance.choices(range(1, len(SUBJECTS) + 1), SUBJECTS)[0])),
            chance.choice(words),
        )
        for number in range(count)
    )
    return FactCorpus("bench", "bench", "bench", relations, facts, common=tuple(words))


def published_loop(published: Published, corpus: FactCorpus, sample: slice) -> list[int]:
    """One fact at a time; the answer is the argmax at the mask."""
    templates = {relation.relation: relation.template for relation in corpus.relations}
    tokenizer = published.tokenizer
    answers = []
    for fact in corpus.facts[sample]:
        left, right = templates[fact.relation].split("[Y]")
        before, after, gold = (
            published.pieces(text.replace("[X]", fact.subject).strip()) for text in (left, right, fact.object)
        )
        head, tail = [tokenizer.cls_token_id, *before], [*after, tokenizer.sep_token_id]
        logits = published.ask([[*head, tokenizer.mask_token_id, *tail]], [[*head, gold[0], *tail]])
        answers.append(int(logits[0, len(head)].argmax()))
    return answers


def ours(
    folder: Path, corpus: FactCorpus, device: str, dtype: Dtype
) -> tuple[Callable[[], Any], list[Fact], int]:
    """The evaluator on a loaded checkpoint, the facts that it answers, in their order, and its pieces."""
    saved = CheckpointStore(folder.parent.parent).open(folder.parent.name, 0)
    resident = Resident(device, dtype)
    resident.hold(saved)
    prepared = Lama().prepare(corpus, load_vocabulary(saved), 512)

    def work() -> LamaAnswers:
        collector = prepared.start()
        for index, (batch, seen) in enumerate(look(resident, prepared.stream)):
            collector.see(index, batch, seen)
        (answers,) = collector.findings()["paper"].payloads
        assert isinstance(answers, LamaAnswers)
        return answers

    return work, list(prepared.clozes.facts), prepared.stream.pieces


def compare(folder: Path, corpus: FactCorpus, sample: int, device: str, dtype: Dtype, peak: float) -> None:
    """Both ways on one model, and what they cost. ``peak``: operations a second in ``dtype``."""
    family = folder.parent.name
    published = Published.load(folder, device)
    published_loop(published, corpus, slice(8))
    # One half before ours and one after: a busy machine is slow with both.
    first, *before = timed(lambda: published_loop(published, corpus, slice(sample // 2)), device)
    work, facts, pieces = ours(folder, corpus, device, dtype)
    # As in a run over many checkpoints: the first one makes the GPU's kernels ready.
    if device != "cpu":
        work()
    answers, own_wall, own_cpu = timed(work, device)
    second, *after = timed(lambda: published_loop(published, corpus, slice(sample // 2, sample)), device)
    theirs = first + second
    # Facts whose object is several pieces are left out by ours: both are held to those that are answered.
    wall, cpu = (sum(each) * len(facts) / len(theirs) for each in zip(before, after, strict=True))
    print(f"{family + '-base, published':24}{wall:10.1f}{cpu:10.1f}{1:8.2f}")
    spent, own = (cpu, own_cpu) if device == "cpu" else (wall, own_wall)
    at_peak = pieces * PRODUCTS / peak
    said = {fact: int(token) for fact, token in zip(facts, np.asarray(answers.tokens)[:, 0], strict=True)}
    shared = [(said[f], t) for f, t in zip(corpus.facts, theirs, strict=False) if f in said]
    same = np.mean([a == b for a, b in shared])
    label = f"{family}-base, ours"
    print(f"{label:24}{own_wall:10.1f}{own_cpu:10.1f}{spent / own:8.2f}{spent / at_peak:9.2f}{same:14.2%}")
    print(
        f"{'':24}{len(facts):,} of {len(corpus.facts):,} facts are answered, whose object is one piece; "
        f"{pieces / len(facts):.1f} pieces each"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("facts", nargs="?", type=int, default=20_000)
    parser.add_argument("sample", nargs="?", type=int, default=300)
    parser.add_argument("--family", action="append", choices=FAMILIES, help="both")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    (corpus, vocabulary), device, dtype = facts_of(given.facts), given.device, resolve_dtype(given.dtype)
    peak = gemm_peak(torch.bfloat16 if dtype == "bf16" else torch.float32, device)
    print(
        f"{len(corpus.facts):,} facts; published on {given.sample:,} of them, scaled up; {machine(device)}; "
        f"ours in {dtype}\n"
    )
    print(f"{'':24}{'wall s':>10}{'CPU s':>10}{'ratio':>8}{'at peak':>9}{'same answers':>14}")
    for family in given.family or FAMILIES:
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root) / "checkpoints" / family / "step-00000000"
            text = (*built_in().sentences, *(each for each in TEMPLATES for _ in range(9)))
            compare(save(folder, family, text, vocabulary), corpus, given.sample, device, dtype, peak)


if __name__ == "__main__":
    main()
