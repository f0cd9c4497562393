"""ELECTRA (Clark et al. 2020): a small generator fills masks, the discriminator says which tokens it made up.

Both read the same embeddings (and their LayerNorm); each has an encoder of its own.
"""

from __future__ import annotations

import dataclasses

from tpu_train import names
from tpu_train.families.network import Network, Saved, WordHead, config
from tpu_train.names import Encoder, Weight
from tpu_train.recipe import Model, Recipe

#: Width of one of the generator's heads, as released.
_HEAD = 64
_EMBEDDINGS = "electra/embeddings"


def generator_model(recipe: Recipe) -> Model:
    """The generator's shape (google-research/electra, ``get_generator_config``)."""
    model, settings = recipe.model, recipe.electra
    hidden = round(model.hidden * settings.generator_width)
    return dataclasses.replace(
        model,
        hidden=hidden,
        layers=max(1, round(model.layers * settings.generator_layers)),
        heads=max(1, hidden // _HEAD),
        ffn=4 * hidden,
    )


def network(recipe: Recipe) -> Network:
    """The discriminator (saved as the step's own model) and the generator (saved in ``generator/``)."""
    model, generator, vocabulary = recipe.model, generator_model(recipe), recipe.vocabulary.size
    shared = names.embeddings(_EMBEDDINGS, "electra.embeddings", model, vocabulary)
    own, own_weights = _encoder("electra", model)
    other, other_weights = _encoder("generator", generator)
    real = "discriminator_predictions"
    own_weights += names.dense(f"{real}/dense", f"{real}.dense", model.hidden, model.hidden)
    own_weights += names.dense(f"{real}/dense_1", f"{real}.dense_prediction", model.hidden, 1)
    words = "generator_predictions"
    other_weights += names.dense(f"{words}/dense", f"{words}.dense", generator.hidden, model.embedding)
    other_weights += names.norm(f"{words}/LayerNorm", f"{words}.LayerNorm", model.embedding)
    other_weights.append(
        Weight(f"{words}/output_bias", "generator_lm_head.bias", (vocabulary,), "zeros"),
    )
    factorised = {"embedding_size": model.embedding}
    return Network(
        (*shared, *own_weights, *other_weights),
        own,
        WordHead(f"{words}/dense", f"{words}/LayerNorm", f"{words}/output_bias"),
        other,
        (
            Saved("", (*shared, *own_weights), config(recipe, model, "ElectraForPreTraining") | factorised),
            Saved(
                "generator",
                (*shared, *other_weights),
                config(recipe, generator, "ElectraForMaskedLM") | factorised,
            ),
        ),
    )


def _encoder(google: str, model: Model) -> tuple[Encoder, list[Weight]]:
    """An encoder below ``google`` over the shared embeddings; both are ``electra`` to Hugging Face."""
    mapping, weights = None, list[Weight]()
    if model.embedding != model.hidden:
        mapping = f"{google}/embeddings_project"
        weights += names.dense(mapping, "electra.embeddings_project", model.embedding, model.hidden)
    layers, own = names.bert_layers(google, "electra", model)
    return Encoder(model, _EMBEDDINGS, mapping, layers), weights + own
