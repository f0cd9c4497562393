"""Part-of-speech probing (paper, section 4, figure 3), with its control task (Hewitt and Liang 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluators.corpora.edges import SPLITS, EdgeCorpus
from evaluators.probes.control import control_labels
from evaluators.probes.sample import Ints, Sample
from evaluators.probes.task import Probe


@dataclass(frozen=True)
class ProbePos(Probe):
    """A word's Penn tag from its pieces' mean. ``with_control``: fit the control task too, as costly
    again.
    """

    name = "probe-pos"
    summary = "Linear probe of every layer: a word's part of speech (F1), with control task and selectivity."
    edge = "pos"

    with_control: bool = True

    def control(self, corpus: EdgeCorpus, sample: Sample) -> Mapping[str, Ints] | None:
        """A random tag for every word type, drawn from the sampled training tags."""
        if not self.with_control:
            return None
        of_form = control_labels(corpus.forms, sample.tasks["train"]["pos"].label, self.seed)
        found = {}
        for split in SPLITS:
            asked, part = sample.tasks[split]["pos"], corpus.splits[split]
            found[split] = of_form[part.word[part.starts[asked.sentence] + asked.spans[:, 0, 0]]]
        return found
