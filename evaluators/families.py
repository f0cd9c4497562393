"""Model families: which class holds a family's weights, where its heads sit, how long its inputs may be.

A head is found by its tensors, not by what config.json calls the model: what is not in the file is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from evaluators.checkpoints import SavedStep
from evaluators.errors import CheckpointError

#: Hidden states (n, width) to logits (n, vocabulary).
Head = Callable[[Any], Any]


@dataclass(frozen=True)
class Family:
    """One family of encoders.

    ``masked``: transformers' class with the head over the vocabulary, whose tensors begin with ``marks``.
    ``prefix``: that of the encoder's tensors. ``beside``: beginnings of tensors that no task reads (poolers,
    heads for pairs of sentences). ``head`` finds the head in a loaded model.
    """

    masked: str
    prefix: str
    marks: tuple[str, ...]
    head: Callable[[Any], Head]
    beside: tuple[str, ...] = ()
    counts_from_padding: bool = False


def _distilbert(model: Any) -> Head:
    return lambda rows: model.vocab_projector(
        model.vocab_layer_norm(model.activation(model.vocab_transform(rows)))
    )


_ROBERTA = Family(
    masked="RobertaForMaskedLM",
    prefix="roberta.",
    marks=("lm_head.",),
    head=lambda model: model.lm_head,
    beside=("roberta.pooler.", "pooler."),
    counts_from_padding=True,
)

#: By config.json's ``model_type``.
FAMILIES: Mapping[str, Family] = {
    "albert": Family(
        masked="AlbertForMaskedLM",
        prefix="albert.",
        marks=("predictions.",),
        head=lambda model: model.predictions,
        beside=("albert.pooler.", "pooler.", "sop_classifier."),
    ),
    "bert": Family(
        masked="BertForMaskedLM",
        prefix="bert.",
        marks=("cls.predictions.",),
        head=lambda model: model.cls.predictions,
        beside=("bert.pooler.", "pooler.", "cls.seq_relationship."),
    ),
    "electra": Family(
        masked="ElectraForMaskedLM",
        prefix="electra.",
        marks=("generator_predictions.", "generator_lm_head."),
        head=lambda model: lambda rows: model.generator_lm_head(model.generator_predictions(rows)),
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": replace(_ROBERTA, masked="XLMRobertaForMaskedLM"),
    "camembert": replace(_ROBERTA, masked="CamembertForMaskedLM"),
    "distilbert": Family(
        masked="DistilBertForMaskedLM",
        prefix="distilbert.",
        marks=("vocab_transform.", "vocab_layer_norm.", "vocab_projector."),
        head=_distilbert,
    ),
    "modernbert": Family(
        masked="ModernBertForMaskedLM",
        prefix="model.",
        marks=("head.", "decoder."),
        head=lambda model: lambda rows: model.decoder(model.head(rows)),
    ),
}

#: ELECTRA's discriminator: one logit a piece, above 0 where it holds the piece for replaced.
DETECTOR = "ElectraForPreTraining"
DETECTOR_MARK = "discriminator_predictions."


def family_of(saved: SavedStep) -> Family:
    """The family of a checkpoint.

    Raises:
        CheckpointError: it is none that is known here.
    """
    kind = saved.config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise CheckpointError(
            f"{saved.uri}: config.json names the model_type {kind!r}. Known are {', '.join(FAMILIES)}."
        )
    return FAMILIES[kind]


def longest_input(saved: SavedStep) -> int:
    """How many pieces the model reads at most, special ones included.

    Raises:
        CheckpointError: config.json does not say.
    """
    found = saved.config.get("max_position_embeddings")
    if not isinstance(found, int):
        raise CheckpointError(f"{saved.uri}: config.json names no max_position_embeddings.")
    if family_of(saved).counts_from_padding:
        return found - int(saved.config.get("pad_token_id") or 0) - 1
    return found


def canonical(name: str, family: Family) -> str | None:
    """A tensor's name as the loaded class has it; None for one that no task reads.

    Old files write LayerNorm's parameters as gamma and beta, keep position_ids, or hold an encoder alone.
    """
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):
        if name.endswith(old):
            name = name.removesuffix(old) + new
    if name.startswith(family.beside) or name.endswith((".position_ids", ".token_type_ids")):
        return None
    own = (family.prefix, *family.marks, DETECTOR_MARK)
    return name if name.startswith(own) else family.prefix + name
