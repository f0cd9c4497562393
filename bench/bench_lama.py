"""LAMA at base size: the authors' loop, one fact at a time in fp32 with logits everywhere, against ours.

20,000 made-up facts of 25 relations, whose words are those of the built-in sentences. The published loop
answers a sample of them, and is scaled up: its facts cost alike. Ours answers all, ranks, log-probabilities
and ten best answers included, in both protocols. On a GPU ratios are by the clock, on a CPU by CPU seconds.

usage: bench_lama.py [FACTS] [SAMPLE] [--device cuda] [--dtype fp32]
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from base_models import FAMILIES, Published, machine, save, timed, without_store

without_store()

from embryo_store.records import LamaAnswers, Relation  # noqa: E402
from evaluators.checkpoints import CheckpointStore  # noqa: E402
from evaluators.compute import look  # noqa: E402
from evaluators.corpora.base import Fact, FactCorpus  # noqa: E402
from evaluators.corpora.sentences import built_in  # noqa: E402
from evaluators.hardware import Dtype, resolve_dtype  # noqa: E402
from evaluators.loading import Resident  # noqa: E402
from evaluators.tasks.lama import Lama  # noqa: E402
from evaluators.vocabulary import load_vocabulary  # noqa: E402

#: Templates as long as those of table 8.
TEMPLATES = ("The capital of [X] is [Y] .", "[X] was born in [Y] .", "[X] is located in [Y] .",
             "The official language of [X] is [Y] .", "[X] was created in [Y] .")  # fmt: skip


def make_facts(count: int) -> FactCorpus:
    """Facts whose subjects are one to three words, and whose objects are words of the built-in sentences."""
    chance = random.Random(0)
    # Words that occur more than once are mostly one piece.
    often = Counter(word for line in built_in().sentences for word in line.lower().split() if word.isalpha())
    words = sorted(word for word, times in often.items() if times > 1)
    relations = tuple(Relation(f"P{n}", TEMPLATES[n % len(TEMPLATES)], "N-1") for n in range(25))
    facts = tuple(
        Fact(
            f"P{number % 25}",
            " ".join(chance.choice(words) for _ in range(chance.randint(1, 3))),
            chance.choice(words),
        )
        for number in range(count)
    )
    return FactCorpus("bench", "bench", "bench", relations, facts, common=tuple(words))


def published_loop(published: Published, corpus: FactCorpus, sample: int) -> list[int]:
    """One fact at a time; the answer is the argmax at the mask."""
    templates = {relation.relation: relation.template for relation in corpus.relations}
    tokenizer = published.tokenizer
    answers = []
    for fact in corpus.facts[:sample]:
        left, right = templates[fact.relation].split("[Y]")
        before, after, gold = (
            published.pieces(text.replace("[X]", fact.subject).strip()) for text in (left, right, fact.object)
        )
        head, tail = [tokenizer.cls_token_id, *before], [*after, tokenizer.sep_token_id]
        logits = published.ask([[*head, tokenizer.mask_token_id, *tail]], [[*head, gold[0], *tail]])
        answers.append(int(logits[0, len(head)].argmax()))
    return answers


def ours(folder: Path, corpus: FactCorpus, device: str, dtype: Dtype) -> tuple[Callable[[], Any], list[Fact]]:
    """The evaluator on a loaded checkpoint, and the facts that it answers, in their order."""
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

    return work, list(prepared.clozes.facts)


def compare(folder: Path, corpus: FactCorpus, sample: int, device: str, dtype: Dtype) -> None:
    """Both ways on one model, and what they cost."""
    family = folder.parent.name
    published = Published.load(folder, device)
    published_loop(published, corpus, 8)
    theirs, *seconds = timed(lambda: published_loop(published, corpus, sample), device)
    work, facts = ours(folder, corpus, device, dtype)
    # Facts whose object is several pieces are left out by ours: both are held to those that are answered.
    wall, cpu = (each * len(facts) / sample for each in seconds)
    print(f"{family + '-base, published':24}{wall:10.1f}{cpu:10.1f}{1:8.2f}")
    # As in a run over many checkpoints: the first one makes the GPU's kernels ready.
    if device != "cpu":
        work()
    answers, own_wall, own_cpu = timed(work, device)
    ratio = cpu / own_cpu if device == "cpu" else wall / own_wall
    said = {fact: int(token) for fact, token in zip(facts, np.asarray(answers.tokens)[:, 0], strict=True)}
    shared = [(said[f], t) for f, t in zip(corpus.facts, theirs, strict=False) if f in said]
    same = np.mean([a == b for a, b in shared])
    label = f"{family}-base, ours"
    print(f"{label:24}{own_wall:10.1f}{own_cpu:10.1f}{ratio:8.2f}{same:14.2%}")
    print(
        f"{'':24}{len(facts):,} of {len(corpus.facts):,} facts have an object of one piece, and are answered"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("facts", nargs="?", type=int, default=20_000)
    parser.add_argument("sample", nargs="?", type=int, default=150)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    corpus, device, dtype = make_facts(given.facts), given.device, resolve_dtype(given.dtype)
    print(f"{given.facts:,} facts; published on {given.sample:,}; {machine(device)}; ours in {dtype}\n")
    print(f"{'':24}{'wall s':>10}{'CPU s':>10}{'ratio':>8}{'same answers':>14}")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root) / "checkpoints" / family / "step-00000000"
            compare(save(folder, family, built_in().sentences), corpus, given.sample, device, dtype)


if __name__ == "__main__":
    main()
