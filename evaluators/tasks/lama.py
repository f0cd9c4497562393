"""LAMA (paper, section 6; Petroni et al. 2019): what the model says at the place of a fact's object.

Protocol ``paper``: candidates are the whole vocabulary, every fact as often as the corpus states it.
Protocol ``lama``: candidates are the common vocabulary, every fact once. Both come from one forward pass.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embryo_store.records import ALL, Dataset, Facts, LamaAnswers, Metric
from evaluators.batches import Batch, Stream, by_length
from evaluators.corpora.base import Corpus, FactCorpus
from evaluators.errors import CheckpointError
from evaluators.tasks.base import Collector, Cost, Finding, ModelTask, Pass, Prepared
from evaluators.tasks.cloze_facts import Clozes, make_clozes
from evaluators.tasks.scores import Ints
from evaluators.tasks.words import argmax

if TYPE_CHECKING:
    import torch

    from evaluators.vocabulary import Vocabulary

TOP = 10
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lama(ModelTask):
    """Rank, log-probability and ten best answers of every fact; P@1, P@10 and MRR of every relation."""

    name = "lama"
    version = 2
    summary = (
        "Ask facts as cloze sentences: rank of the true object, ten best answers; P@1, P@10, MRR by relation."
    )
    reads = "facts"
    needs = "head"
    cost = Cost.PASS

    def protocols(self, corpus: Corpus) -> tuple[str, ...]:
        """``lama`` needs a common vocabulary."""
        return (
            ("paper", "lama") if isinstance(corpus, FactCorpus) and corpus.common is not None else ("paper",)
        )

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """One row a fact.

        Raises:
            CheckpointError: not one object is a single piece of the vocabulary.
        """
        if not isinstance(corpus, FactCorpus):
            raise TypeError(f"expected facts, found {type(corpus).__name__}")
        clozes = make_clozes(corpus, vocabulary, limit)
        if not clozes.facts:
            raise CheckpointError(
                f"{corpus.uri}: no fact has an object that is one piece of this vocabulary."
            )
        key = ("facts", corpus.data_hash, vocabulary.digest, str(limit))
        batches = by_length(clozes.rows)
        # Facts whose every piece is echoed need the whole pass.
        places = () if clozes.echo else tuple((np.arange(len(b.item)), clozes.place[b.item]) for b in batches)
        return _PreparedLama(corpus, clozes, Stream(key, batches, places=places))


@dataclass(frozen=True)
class _PreparedLama(Prepared):
    corpus: FactCorpus
    clozes: Clozes
    stream: Stream

    def start(self) -> Collector:
        return _Answers(self)

    def dataset(self) -> Dataset:
        return self.corpus.dataset()

    def notes(self) -> list[str]:
        clozes, notes = self.clozes, []
        for left_out, why in (
            (clozes.several_pieces, "whose object is not one piece"),
            (clozes.too_long, "too long for the model"),
        ):
            if left_out:
                total, of = sum(left_out.values()), len(left_out)
                facts = f"{total:,} fact{'s' if total > 1 else ''} of {of} relation{'s' if of > 1 else ''}"
                notes.append(f"{self.corpus.name}: {facts} {why}: left out.")
        if clozes.common is not None and self.corpus.common is not None:
            notes.append(
                f"{self.corpus.name}: {len(clozes.common):,} of {len(self.corpus.common):,} common words are "
                "one piece of this vocabulary, each counted once."
            )
        return notes


class _Answers(Collector):
    def __init__(self, prepared: _PreparedLama) -> None:
        self._prepared = prepared
        n, common = len(prepared.clozes.facts), prepared.clozes.common
        self._rank = np.zeros(n, dtype=np.int64)
        self._logp = np.zeros(n, dtype=np.float32)
        self._rank_common = None if common is None else np.zeros(n, dtype=np.int64)
        self._logp_common = None if common is None else np.full(n, np.nan, dtype=np.float32)
        self._tokens = np.zeros((n, TOP), dtype=np.int64)
        self._logps = np.zeros((n, TOP), dtype=np.float32)
        self._echo: dict[int, Sequence[int]] = {}

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        clozes, items = self._prepared.clozes, batch.item
        place, gold, row = clozes.place[items], clozes.gold[items], np.arange(len(items))
        logps = seen.head(seen.at(row, place)).log_softmax(-1)
        self._rank[items] = ranks(logps, gold)
        self._logp[items] = logps[row, gold].cpu().numpy()
        self._tokens[items], self._logps[items] = best(logps, TOP)
        if clozes.common is not None:
            self._see_common(logps, clozes.common, items)
        for number, item in enumerate(items):
            if int(item) in clozes.echo:
                answer = argmax(seen.head, seen.hidden[number])
                self._echo[int(item)] = [int(token) for token in answer[1:-1]]

    def _see_common(self, logps: torch.Tensor, common: Ints, items: Ints) -> None:
        import torch

        assert self._rank_common is not None
        assert self._logp_common is not None
        gold = self._prepared.clozes.gold[items]
        place = np.searchsorted(common, gold)
        known = (place < len(common)) & (common[np.minimum(place, len(common) - 1)] == gold)
        if known.any():
            rows = logps if known.all() else logps[np.flatnonzero(known)]
            among = rows.index_select(1, torch.from_numpy(common).to(rows.device)).log_softmax(-1)
            mine = place[known]
            self._rank_common[items[known]] = ranks(among, mine)
            self._logp_common[items[known]] = among[np.arange(len(mine)), mine].cpu().numpy()

    def findings(self) -> Mapping[str, Finding]:
        clozes, corpus = self._prepared.clozes, self._prepared.corpus
        facts = clozes.facts
        answers = LamaAnswers(
            facts=Facts(
                relation=[fact.relation for fact in facts],
                subject=[fact.subject for fact in facts],
                object=[fact.object for fact in facts],
                uuid=[fact.uuid for fact in facts],
            ),
            gold_rank=self._rank,
            gold_logp=self._logp,
            gold_rank_common=self._rank_common,
            gold_logp_common=self._logp_common,
            tokens=self._tokens,
            logps=self._logps,
            echo=self._echo,
        )
        copies = np.array([fact.copies for fact in facts], dtype=np.int64)
        relation = np.array([fact.relation for fact in facts], dtype=object)
        types = {r.relation: r.type for r in corpus.relations}
        left_out = [
            Metric(name, float(number), label=label)
            for name, counts in (
                ("facts_several_pieces", clozes.several_pieces),
                ("facts_too_long", clozes.too_long),
            )
            for label, number in sorted(counts.items())
        ]
        found = {"paper": Finding([*precisions(self._rank, copies, relation, types), *left_out], [answers])}
        if self._rank_common is not None and clozes.common is not None:
            known = self._rank_common > 0
            metrics = precisions(
                self._rank_common[known], np.ones(known.sum(), np.int64), relation[known], types
            )
            outside = Metric("facts_not_common", float((~known).sum()), n=len(known))
            kept = Metric("common_vocabulary", float(len(clozes.common)), n=len(corpus.common or ()))
            found["lama"] = Finding([*metrics, outside, kept])
        return found


def ranks(scores: torch.Tensor, gold: Ints) -> Ints:
    """The place of ``gold`` (n,) in every row of ``scores`` (n, candidates), from 1, as in a stable sort.

    Of equal scores the lower index comes first.
    """
    if scores.is_cuda:
        return ranks_together(scores, gold)
    # To count what is true takes PyTorch ten times as long on a processor.
    return np.array(
        [
            1 + np.count_nonzero(row > row[at]) + np.count_nonzero(row[:at] == row[at])
            for row, at in zip(scores.numpy(), gold, strict=True)
        ],
        dtype=np.int64,
    )


def ranks_together(scores: torch.Tensor, gold: Ints) -> Ints:
    """The same for all rows at once, as a GPU is fast with."""
    import torch

    place = torch.from_numpy(gold).to(scores.device)[:, None]
    mine = scores.gather(1, place)
    lower = torch.arange(scores.shape[1], device=scores.device) < place
    before: Ints = ((scores > mine) | (lower & (scores == mine))).sum(1).cpu().numpy()
    return before + 1


def best(logps: torch.Tensor, count: int) -> tuple[Ints, Floats]:
    """The ``count`` likeliest tokens of every row, best first; of equal ones the lower id comes first."""
    values, tokens = (part.cpu().numpy() for part in logps.topk(count, dim=-1))
    order = np.lexsort((tokens, -values), axis=-1)
    return np.take_along_axis(tokens, order, -1), np.take_along_axis(values, order, -1)


def precisions(
    rank: Ints, copies: Ints, relation: npt.NDArray[np.object_], types: Mapping[str, str | None]
) -> list[Metric]:
    """P@1, P@10 and MRR of every relation, then the unweighted means over relations: by type, and of all."""
    scores: dict[str, Callable[[Ints], npt.NDArray[np.float64]]] = {
        "p1": lambda r: (r == 1).astype(np.float64),
        "p10": lambda r: (r <= TOP).astype(np.float64),
        "mrr": lambda r: 1 / r,
    }
    found: list[Metric] = []
    for metric, score in scores.items():
        groups: dict[str, list[Metric]] = defaultdict(list)
        for name in sorted(set(relation)):
            mine = relation == name
            one = _weighted(metric, score(rank[mine]), copies[mine], name)
            found.append(one)
            groups[ALL].append(one)
            groups[types[name] or "untyped"].append(one)
        found += [_mean_over_relations(metric, members, label) for label, members in sorted(groups.items())]
    return found


def _weighted(metric: str, values: npt.NDArray[np.float64], copies: Ints, label: str) -> Metric:
    n = int(copies.sum())
    value = float((values * copies).sum() / n)
    variance = float((copies * (values - value) ** 2).sum() / n)
    return Metric(metric, value, label=label, n=n, stderr=math.sqrt(variance / n))


def _mean_over_relations(metric: str, members: Sequence[Metric], label: str) -> Metric:
    """The error of a mean of independent means; ``n`` is the number of facts below it."""
    variance = sum((one.stderr or 0.0) ** 2 for one in members)
    return Metric(
        metric,
        sum(one.value for one in members) / len(members),
        label=label,
        n=sum(one.n or 0 for one in members),
        stderr=math.sqrt(variance) / len(members),
    )
