"""The one table of weights: Google's name, Hugging Face's name, shape and initialiser of each.

A kernel is stored transposed by Hugging Face (``torch.nn.Linear``). Knows no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tpu_train.recipe import Model

Floats = npt.NDArray[np.float32]
Init: TypeAlias = Literal["normal", "zeros", "ones", "positions"]


@dataclass(frozen=True)
class Weight:
    """One trainable array. ``transposed``: Hugging Face stores its transpose."""

    google: str
    hugging_face: str
    shape: tuple[int, ...]
    init: Init
    transposed: bool = False


#: Inside one ALBERT layer: Google's name, Hugging Face's, and what it is.
_LAYER_DENSE = (
    ("attention_1/self/query", "attention.query", "hidden", "hidden"),
    ("attention_1/self/key", "attention.key", "hidden", "hidden"),
    ("attention_1/self/value", "attention.value", "hidden", "hidden"),
    ("attention_1/output/dense", "attention.dense", "hidden", "hidden"),
    ("ffn_1/intermediate/dense", "ffn", "hidden", "ffn"),
    ("ffn_1/intermediate/output/dense", "ffn_output", "ffn", "hidden"),
)
_LAYER_NORMS = (("LayerNorm", "attention.LayerNorm"), ("LayerNorm_1", "full_layer_layer_norm"))


def _dense(google: str, hugging_face: str, inputs: int, outputs: int) -> tuple[Weight, Weight]:
    return (
        Weight(f"{google}/kernel", f"{hugging_face}.weight", (inputs, outputs), "normal", transposed=True),
        Weight(f"{google}/bias", f"{hugging_face}.bias", (outputs,), "zeros"),
    )


def _norm(google: str, hugging_face: str, width: int) -> tuple[Weight, Weight]:
    return (
        Weight(f"{google}/gamma", f"{hugging_face}.weight", (width,), "ones"),
        Weight(f"{google}/beta", f"{hugging_face}.bias", (width,), "zeros"),
    )


def group_prefix(group: int) -> str:
    """Google's prefix of the layer that the layers of ``group`` share."""
    return f"bert/encoder/transformer/group_{group}/inner_group_0"


def albert(model: Model, vocabulary: int) -> tuple[Weight, ...]:
    """ALBERT with the MLM and SOP heads. The MLM decoder is tied to the word embeddings and not stored."""
    embeddings, hf_embeddings = "bert/embeddings", "albert.embeddings"
    width = {"hidden": model.hidden, "ffn": model.ffn}
    rows: tuple[tuple[str, int, Init], ...] = (
        ("word_embeddings", vocabulary, "normal"),
        ("token_type_embeddings", model.token_types, "normal"),
        ("position_embeddings", model.positions, "positions"),
    )
    weights = [
        Weight(f"{embeddings}/{name}", f"{hf_embeddings}.{name}.weight", (count, model.embedding), init)
        for name, count, init in rows
    ]
    weights += _norm(f"{embeddings}/LayerNorm", f"{hf_embeddings}.LayerNorm", model.embedding)
    weights += _dense(
        "bert/encoder/embedding_hidden_mapping_in",
        "albert.encoder.embedding_hidden_mapping_in",
        model.embedding,
        model.hidden,
    )
    for group in range(model.groups):
        google = group_prefix(group)
        hugging_face = f"albert.encoder.albert_layer_groups.{group}.albert_layers.0"
        for name, hf_name, inputs, outputs in _LAYER_DENSE:
            weights += _dense(f"{google}/{name}", f"{hugging_face}.{hf_name}", width[inputs], width[outputs])
        for name, hf_name in _LAYER_NORMS:
            weights += _norm(f"{google}/{name}", f"{hugging_face}.{hf_name}", model.hidden)
    weights += _dense("bert/pooler/dense", "albert.pooler", model.hidden, model.hidden)
    weights += _dense("cls/predictions/transform/dense", "predictions.dense", model.hidden, model.embedding)
    weights += _norm("cls/predictions/transform/LayerNorm", "predictions.LayerNorm", model.embedding)
    order = "sop_classifier.classifier"
    weights += [
        Weight("cls/predictions/output_bias", "predictions.bias", (vocabulary,), "zeros"),
        Weight("cls/seq_relationship/output_weights", f"{order}.weight", (2, model.hidden), "normal"),
        Weight("cls/seq_relationship/output_bias", f"{order}.bias", (2,), "zeros"),
    ]
    return tuple(weights)


def parameters(table: tuple[Weight, ...]) -> int:
    """How many numbers the weights hold."""
    return sum(int(np.prod(weight.shape)) for weight in table)


def to_hugging_face(table: tuple[Weight, ...], values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Values by Google's names into values by Hugging Face's, kernels transposed."""
    return {
        weight.hugging_face: np.ascontiguousarray(
            values[weight.google].T if weight.transposed else values[weight.google]
        )
        for weight in table
    }
