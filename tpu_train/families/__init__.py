"""The families: what a recipe's network consists of, and what of it is saved where. One file each.

Knows names, shapes and configurations; no TensorFlow.
"""

from __future__ import annotations

from tpu_train.families import albert, bert, electra
from tpu_train.families.network import Network
from tpu_train.recipe import Recipe

_BUILD = {"albert": albert.network, "bert": bert.network, "electra": electra.network}


def network(recipe: Recipe) -> Network:
    """The network of ``recipe``."""
    return _BUILD[recipe.family](recipe)
