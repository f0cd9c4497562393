"""What every family describes: its weights, its encoders and heads, and the model folders it is saved as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tpu_train.names import Encoder, Weight
from tpu_train.recipe import Model, Recipe

ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu_erf": "gelu"}


@dataclass(frozen=True)
class WordHead:
    """The MLM head: dense, GELU, LayerNorm, then the word embeddings (tied) and a bias."""

    dense: str
    norm: str
    bias: str


@dataclass(frozen=True)
class Saved:
    """A Hugging Face model folder below a step's (``folder`` empty: the step's own): weights and config."""

    folder: str
    weights: tuple[Weight, ...]
    config: dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A recipe's network.

    Attributes:
        weights: everything that is trained, each once.
        encoder: the encoder that is evaluated; ELECTRA's discriminator.
        words: the MLM head; ELECTRA's is its generator's.
        generator: ELECTRA's generator; None in other families.
        saved: the model folders of a step.
    """

    weights: tuple[Weight, ...]
    encoder: Encoder
    words: WordHead
    generator: Encoder | None
    saved: tuple[Saved, ...]


def config(recipe: Recipe, model: Model, architecture: str) -> dict[str, Any]:
    """What the configurations of all families have in common, under transformers' names."""
    return {
        "architectures": [architecture],
        "model_type": recipe.family,
        "vocab_size": recipe.vocabulary.size,
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "intermediate_size": model.ffn,
        "hidden_act": ACTIVATIONS[model.activation],
        "hidden_dropout_prob": model.hidden_dropout,
        "attention_probs_dropout_prob": model.attention_dropout,
        "max_position_embeddings": model.positions,
        "type_vocab_size": model.token_types,
        "initializer_range": model.initializer_range,
        "layer_norm_eps": model.layer_norm_epsilon,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "dtype": "bfloat16" if recipe.save.dtype == "bf16" else "float32",
    }
