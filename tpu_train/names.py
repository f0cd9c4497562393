"""The table of weights: Google's name, Hugging Face's name, shape and initialiser of each.

Each family makes its own out of the pieces here (``families``). A kernel is stored transposed by Hugging Face
(``torch.nn.Linear``). Knows no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


@dataclass(frozen=True)
class Layer:
    """Google's names of the dense layers and norms of one transformer layer."""

    query: str
    key: str
    value: str
    output: str
    output_norm: str
    inner: str
    outer: str
    outer_norm: str


@dataclass(frozen=True)
class Encoder:
    """One encoder: its shape and where its weights are. Layers that share weights have the same names.

    ``mapping`` leads from the embeddings' width to the hidden size; None where they are the same.
    """

    model: Model
    embeddings: str
    mapping: str | None
    layers: tuple[Layer, ...]


def dense(google: str, hugging_face: str, inputs: int, outputs: int) -> tuple[Weight, Weight]:
    """A dense layer's kernel and bias."""
    return (
        Weight(f"{google}/kernel", f"{hugging_face}.weight", (inputs, outputs), "normal", transposed=True),
        Weight(f"{google}/bias", f"{hugging_face}.bias", (outputs,), "zeros"),
    )


def norm(google: str, hugging_face: str, width: int) -> tuple[Weight, Weight]:
    """A LayerNorm's gamma and beta."""
    return (
        Weight(f"{google}/gamma", f"{hugging_face}.weight", (width,), "ones"),
        Weight(f"{google}/beta", f"{hugging_face}.bias", (width,), "zeros"),
    )


def embeddings(google: str, hugging_face: str, model: Model, vocabulary: int) -> list[Weight]:
    """Word, type and position embeddings and their LayerNorm."""
    rows: tuple[tuple[str, int, Init], ...] = (
        ("word_embeddings", vocabulary, "normal"),
        ("token_type_embeddings", model.token_types, "normal"),
        ("position_embeddings", model.positions, "positions"),
    )
    weights = [
        Weight(f"{google}/{name}", f"{hugging_face}.{name}.weight", (count, model.embedding), init)
        for name, count, init in rows
    ]
    return [*weights, *norm(f"{google}/LayerNorm", f"{hugging_face}.LayerNorm", model.embedding)]


def layer(google: Layer, hugging_face: Layer, model: Model) -> list[Weight]:
    """The weights of one transformer layer, its six dense layers before its two norms."""
    sizes = {"inner": (model.hidden, model.ffn), "outer": (model.ffn, model.hidden)}
    weights: list[Weight] = []
    for part in ("query", "key", "value", "output", "inner", "outer"):
        inputs, outputs = sizes.get(part, (model.hidden, model.hidden))
        weights += dense(getattr(google, part), getattr(hugging_face, part), inputs, outputs)
    for part in ("output_norm", "outer_norm"):
        weights += norm(getattr(google, part), getattr(hugging_face, part), model.hidden)
    return weights


def bert_layer(google: str) -> Layer:
    """The names inside a layer of BERT and ELECTRA below ``google``."""
    attention = f"{google}/attention"
    return Layer(
        f"{attention}/self/query",
        f"{attention}/self/key",
        f"{attention}/self/value",
        f"{attention}/output/dense",
        f"{attention}/output/LayerNorm",
        f"{google}/intermediate/dense",
        f"{google}/output/dense",
        f"{google}/output/LayerNorm",
    )


def bert_layers(google: str, hugging_face: str, model: Model) -> tuple[tuple[Layer, ...], list[Weight]]:
    """Layers with weights of their own: their names, and the weights under ``encoder/layer_N``."""
    found, weights = [], []
    for number in range(model.layers):
        names = bert_layer(f"{google}/encoder/layer_{number}")
        inside = vars(bert_layer(f"{hugging_face}/encoder/layer/{number}"))
        dotted = Layer(**{part: name.replace("/", ".") for part, name in inside.items()})
        found.append(names)
        weights += layer(names, dotted, model)
    return tuple(found), weights


def parameters(table: Iterable[Weight]) -> int:
    """How many numbers the weights hold."""
    return sum(int(np.prod(weight.shape)) for weight in table)


def to_hugging_face(table: Iterable[Weight], values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Values by Google's names into values by Hugging Face's, kernels transposed."""
    return {
        weight.hugging_face: np.ascontiguousarray(
            values[weight.google].T if weight.transposed else values[weight.google]
        )
        for weight in table
    }


def to_google(table: Iterable[Weight], values: Mapping[str, Floats]) -> dict[str, Floats]:
    """The inverse of ``to_hugging_face``."""
    return {
        weight.google: values[weight.hugging_face].T if weight.transposed else values[weight.hugging_face]
        for weight in table
    }
