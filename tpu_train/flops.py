"""Counting work: floating-point operations and bytes of a recipe. Plain numbers from shapes.

Shared weights are stored once and used in every layer, so "6 operations a parameter and token" is wrong for
ALBERT; products are counted where they happen.
"""

from __future__ import annotations

from tpu_train import names
from tpu_train.recipe import Recipe

#: A backward pass costs two products for each product of the forward pass.
_TRAINING = 3


def step(recipe: Recipe) -> int:
    """Operations of all matrix products of one update, a multiplication and an addition counted as two."""
    model, data = recipe.model, recipe.data
    layer = 2 * (4 * model.hidden**2 + 2 * model.hidden * model.ffn) + 4 * data.length * model.hidden
    token = model.layers * layer + 2 * model.embedding * model.hidden
    prediction = 2 * model.hidden * model.embedding + 2 * model.embedding * recipe.vocabulary.size
    sequence = data.length * token + data.max_predictions * prediction + 2 * model.hidden**2
    return _TRAINING * recipe.training.batch * sequence


def checkpoint_bytes(recipe: Recipe) -> int:
    """Size of the weights of one saved step, fp32; tokenizer and descriptions apart."""
    return 4 * names.parameters(names.albert(recipe.model, recipe.vocabulary.size))


def state_bytes(recipe: Recipe) -> int:
    """Size of one resumable state: weights and two moments."""
    return 3 * checkpoint_bytes(recipe)
