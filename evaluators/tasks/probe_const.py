"""Constituent probing (paper, section 4, figure 10c)."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.probes.task import Probe


@dataclass(frozen=True)
class ProbeConst(Probe):
    """A constituent's label, function tags apart, from its pieces' mean."""

    name = "probe-const"
    summary = "Linear probe of every layer: a constituent's label (F1)."
    edge = "const"
