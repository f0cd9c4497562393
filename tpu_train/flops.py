"""Counting work: floating-point operations and bytes of a recipe. Plain numbers from shapes.

Shared weights are stored once and used in every layer, so "6 operations a parameter and token" is wrong for
ALBERT; products are counted where they happen.
"""

from __future__ import annotations

from tpu_train import families, names
from tpu_train.names import Encoder
from tpu_train.recipe import Recipe, stages

#: A backward pass costs two products for each product of the forward pass.
_TRAINING = 3


def step(recipe: Recipe) -> int:
    """Operations of all matrix products of one update, a multiplication and an addition counted as two."""
    data, network = recipe.data, families.network(recipe)
    model = network.encoder.model
    reader = network.generator or network.encoder
    width = reader.model.hidden
    prediction = 2 * width * model.embedding + 2 * model.embedding * recipe.vocabulary.size
    sequence = _encoder(network.encoder, data.length) + data.max_predictions * prediction
    if network.generator is None:
        sequence += 2 * model.hidden**2
    else:
        sequence += _encoder(network.generator, data.length) + data.length * 2 * model.hidden**2
    return _TRAINING * recipe.training.batch * sequence


def _encoder(encoder: Encoder, length: int) -> int:
    """Operations of a forward pass over a sequence."""
    model = encoder.model
    layer = 2 * (4 * model.hidden**2 + 2 * model.hidden * model.ffn) + 4 * length * model.hidden
    mapping = 2 * model.embedding * model.hidden if encoder.mapping else 0
    return length * (len(encoder.layers) * layer + mapping)


def run(recipe: Recipe) -> int:
    """Operations of all updates, phases of other lengths included."""
    return sum((end - start) * step(own) for start, end, own in stages(recipe))


def checkpoint_bytes(recipe: Recipe) -> int:
    """Size of the weights of one saved step; tokenizer and descriptions apart."""
    width = 2 if recipe.save.dtype == "bf16" else 4
    return width * sum(names.parameters(saved.weights) for saved in families.network(recipe).saved)


def state_bytes(recipe: Recipe) -> int:
    """Size of one resumable state: weights and two moments, fp32."""
    return 3 * 4 * names.parameters(families.network(recipe).weights)
