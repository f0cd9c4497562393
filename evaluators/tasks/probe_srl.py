"""Probing of semantic roles (paper, section 4, figure 10a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.probes.sample import Bools
from evaluators.probes.task import Probe


@dataclass(frozen=True)
class ProbeSrl(Probe):
    """An argument's role from the means of predicate and argument. Protocol ``tenney``: F1 over the
    labels that are neither continuations (C-) nor references (R-).
    """

    name = "probe-srl"
    summary = "Linear probe of every layer: an argument's semantic role (F1)."
    edge = "srl"

    def among(self, labels: Sequence[str]) -> Mapping[str, Bools]:
        """All labels; those of Tenney et al. (2018)."""
        plain = [not label.startswith(("C-", "R-")) for label in labels]
        return {**super().among(labels), "tenney": np.array(plain, dtype=np.bool_)}
