"""What was stored is what was trained: transformers' models of a saved step give TensorFlow's logits."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from safetensors.numpy import load_file
from transformers import (
    AlbertForPreTraining,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    BertForPreTraining,
    ElectraForMaskedLM,
    ElectraForPreTraining,
)

from tpu_train import encoder, families, heads, initial, names, recipe, run, store
from tpu_train.families.network import Network
from tpu_train.recipe import Recipe
from tpu_train.store import ModelFolder

LENGTH = 24
CLASSES = {"albert": AlbertForPreTraining, "bert": BertForPreTraining, "electra": ElectraForPreTraining}
SHAPE = {
    "model.hidden": 128,
    "model.layers": 3,
    "model.heads": 4,
    "model.ffn": 256,
    "model.positions": 32,
    "data.length": LENGTH,
    "vocabulary.size": 300,
}


def agree(mine: Any, theirs: torch.Tensor) -> None:
    other = theirs.detach().numpy()
    assert np.abs(np.asarray(mine) - other).max() <= 2e-5 * max(1.0, np.abs(other).max())


def little(family: str, **changes: object) -> tuple[Recipe, Network, dict[str, names.Floats]]:
    """A recipe and weights that are all drawn, biases and norms included, and large enough to matter."""
    width = 128 if family == "bert" else 48
    overrides = {**SHAPE, "data.phases": [], "model.embedding": width}
    loaded = recipe.load(f"{family}-tiny", overrides | changes)
    network = families.network(loaded)
    draw = np.random.default_rng(7)
    values = {
        name: (value + draw.normal(0, 0.1, value.shape)).astype(np.float32)
        for name, value in initial.weights(network.weights, loaded.model, 1).items()
    }
    return loaded, network, values


def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    mask = (np.arange(LENGTH)[None] < draw.integers(8, LENGTH + 1, 6)[:, None]).astype(np.int32)
    return (
        draw.integers(5, 300, (6, LENGTH)).astype(np.int32),
        draw.integers(0, 2, (6, LENGTH)).astype(np.int32),
        mask,
    )


def asked(model: Any) -> Any:
    ids, types, mask = (torch.tensor(column).long() for column in inputs())
    with torch.no_grad():
        return model.eval()(ids, token_type_ids=types, attention_mask=mask, output_hidden_states=True)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("albert", {}),
        ("albert", {"model.activation": "gelu_erf", "model.layers": 4, "model.groups": 2}),
        ("bert", {}),
        ("bert", {"model.activation": "gelu_erf"}),
        ("electra", {}),
        ("electra", {"model.embedding": 128}),
    ],
)
def test_every_familys_logits_agree(family: str, changes: dict[str, Any], tmp_path: Path) -> None:
    _loaded, network, values = little(family, **changes)
    models = [
        ModelFolder(saved.folder, names.to_hugging_face(saved.weights, values), saved.config)
        for saved in network.saved
    ]
    folder = store.save_step(tmp_path, 0, models, {})
    model = AutoModelForPreTraining.from_pretrained(folder)
    assert isinstance(model, CLASSES[family])
    theirs, kept = asked(model), inputs()[2].astype(bool)

    def states(which: names.Encoder, out: Any) -> Any:
        layers = encoder.encode(which, values, *map(tf.constant, inputs()))
        assert len(layers) == len(out.hidden_states)
        for mine, other in zip(layers, out.hidden_states, strict=True):
            agree(mine.numpy().reshape(*other.shape)[kept], other[kept])
        return layers[-1]

    last = states(network.encoder, theirs)
    if family == "electra":
        assert network.generator is not None
        agree(heads.replaced_logits(network.encoder, values, last).numpy()[kept.ravel()], theirs.logits[kept])
        generator = AutoModelForMaskedLM.from_pretrained(folder / "generator")
        assert isinstance(generator, ElectraForMaskedLM)
        theirs = asked(generator)
        last, words = states(network.generator, theirs), theirs.logits
        mine = heads.word_logits(network.generator, network.words, values, last)
    else:
        pairs = theirs.sop_logits if family == "albert" else theirs.seq_relationship_logits
        agree(heads.pair_logits(values, last, 6, LENGTH), pairs)
        mine = heads.word_logits(network.encoder, network.words, values, last)
        words = theirs.prediction_logits
    agree(mine.numpy().reshape(*words.shape)[kept], words[kept])


@pytest.mark.parametrize("family", ["albert", "bert", "electra"])
def test_nothing_is_missing_and_nothing_is_left_over(family: str, tmp_path: Path) -> None:
    _, network, values = little(family)
    trained = {weight.google for saved in network.saved for weight in saved.weights}
    assert trained == {weight.google for weight in network.weights} == set(values)
    for saved in network.saved:
        model = ModelFolder("", names.to_hugging_face(saved.weights, values), saved.config)
        (tmp_path / (saved.folder or "own")).mkdir()
        folder = store.save_step(tmp_path / (saved.folder or "own"), 0, [model], {})
        kind = AutoModelForMaskedLM if saved.folder else AutoModelForPreTraining
        loaded, report = kind.from_pretrained(folder, output_loading_info=True)
        assert not report["missing_keys"]
        assert not report["unexpected_keys"]
        assert sum(part.numel() for part in loaded.parameters()) == names.parameters(saved.weights)
        back = names.to_google(saved.weights, load_file(folder / store.WEIGHTS))
        for name, value in back.items():
            np.testing.assert_array_equal(value, values[name])


@pytest.mark.parametrize(
    ("name", "parameters"),
    # The paper's 12M, 110M and 110M (appendix B), pretraining heads included.
    [("albert-base", 11_813_810), ("bert-base", 110_106_428), ("electra-base", 109_483_009)],
)
def test_the_papers_models_have_the_released_number_of_parameters(name: str, parameters: int) -> None:
    network = families.network(recipe.load(name))
    assert names.parameters(network.saved[0].weights) == parameters


def test_a_trained_steps_logits_agree(finished: Path) -> None:
    about = run.read(finished)
    assert about is not None
    loaded = recipe.from_json(about["recipe"], "run.json")
    network = families.network(loaded)
    folder = store.step_folder(finished, 120)
    weights = names.to_google(network.weights, load_file(folder / store.WEIGHTS))
    ids, types, mask = (column % 200 for column in inputs())
    last = encoder.encode(network.encoder, weights, *map(tf.constant, (ids, types, mask)))[-1]
    words = heads.word_logits(network.encoder, network.words, weights, last)
    model = AutoModelForPreTraining.from_pretrained(folder).eval()
    with torch.no_grad():
        theirs = model(
            torch.tensor(ids).long(),
            token_type_ids=torch.tensor(types).long(),
            attention_mask=torch.tensor(mask).long(),
        )
    kept = mask.astype(bool)
    agree(words.numpy().reshape(6, LENGTH, -1)[kept], theirs.prediction_logits[kept])
    assert sum(parameter.numel() for parameter in model.parameters()) == about["parameters"]


def test_training_moved_every_weight(finished: Path) -> None:
    first, last = (load_file(store.step_folder(finished, step) / "model.safetensors") for step in (0, 120))
    for name, value in first.items():
        if not name.endswith("attention.key.bias"):  # adds the same to all scores of a row: no gradient
            assert np.abs(last[name] - value).max() > 1e-4, name


def test_configurations_say_what_the_recipe_says() -> None:
    loaded, network, _ = little("electra")
    own, generator = (saved.config for saved in network.saved)
    assert (own["hidden_size"], generator["hidden_size"]) == (128, 16)
    assert generator["num_attention_heads"] == 1
    assert own["embedding_size"] == generator["embedding_size"] == 48
    wide = dataclasses.replace(loaded, electra=dataclasses.replace(loaded.electra, generator_layers=0.5))
    assert families.network(wide).saved[1].config["num_hidden_layers"] == 2
