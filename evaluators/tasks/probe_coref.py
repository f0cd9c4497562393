"""Probing of coreference within sentences (paper, section 4, figure 10b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.corpora.edges import TOGETHER
from evaluators.probes.sample import Bools
from evaluators.probes.task import Probe


@dataclass(frozen=True)
class ProbeCoref(Probe):
    """Whether two mentions of a sentence mean the same. Protocol ``tenney``: F1 of "the same" alone."""

    name = "probe-coref"
    summary = "Linear probe of every layer: do two mentions of a sentence corefer (F1)?"
    edge = "coref"

    def among(self, labels: Sequence[str]) -> Mapping[str, Bools]:
        """Both labels; the positive one."""
        together = [label == TOGETHER for label in labels]
        return {**super().among(labels), "tenney": np.array(together, dtype=np.bool_)}
