"""What was stored is what was trained: transformers' model of a saved step gives TensorFlow's logits."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import torch
from safetensors.numpy import load_file
from transformers import AlbertForPreTraining, AutoModelForPreTraining

from tpu_train import encoder, names, prepare, recipe, run, store
from tpu_train.batches import Batches
from tpu_train.examples import Packings


@pytest.mark.parametrize("step", [0, 8, 40, 120])
def test_logits_agree(finished: Path, tmp_path: Path, step: int) -> None:
    about = run.read(finished)
    assert about is not None
    loaded = recipe.from_json(about["recipe"], "run.json")
    prepared = prepare.resume(finished / "state", loaded)
    packings = Packings(tmp_path, prepared.tokens, loaded.data, 0)
    batch = Batches(loaded, prepared.vocabulary, prepared.tokens, packings).batch(step)
    inputs = (batch.ids, batch.token_types, batch.attention_mask)

    stored = load_file(store.step_folder(finished, step) / "model.safetensors")
    weights = {
        weight.google: stored[weight.hugging_face].T if weight.transposed else stored[weight.hugging_face]
        for weight in names.albert(loaded.model, loaded.vocabulary.size)
    }
    layers = encoder.encode(loaded.model, weights, *map(tf.constant, inputs))
    words = encoder.word_logits(loaded.model, weights, layers[-1]).numpy()
    order = encoder.order_logits(weights, layers[-1], *batch.ids.shape).numpy()

    model = AutoModelForPreTraining.from_pretrained(store.step_folder(finished, step)).eval()
    assert isinstance(model, AlbertForPreTraining)
    with torch.no_grad():
        theirs = model(
            *(torch.tensor(batch.ids).long(),),
            token_type_ids=torch.tensor(batch.token_types).long(),
            attention_mask=torch.tensor(batch.attention_mask).long(),
            output_hidden_states=True,
        )
    kept = batch.attention_mask.astype(bool)
    for mine, other in (
        (words.reshape(*batch.ids.shape, -1)[kept], theirs.prediction_logits.numpy()[kept]),
        (order, theirs.sop_logits.numpy()),
    ):
        assert np.abs(mine - other).max() <= 2e-5 * max(1.0, np.abs(other).max())
    for mine, other in zip(layers, theirs.hidden_states, strict=True):
        np.testing.assert_allclose(mine.numpy().reshape(other.shape)[kept], other.numpy()[kept], atol=2e-5)
    assert sum(parameter.numel() for parameter in model.parameters()) == about["parameters"]


def test_training_moved_every_weight(finished: Path) -> None:
    first, last = (load_file(store.step_folder(finished, step) / "model.safetensors") for step in (0, 120))
    for name, value in first.items():
        if not name.endswith("attention.key.bias"):  # adds the same to all scores of a row: no gradient
            assert np.abs(last[name] - value).max() > 1e-4, name
