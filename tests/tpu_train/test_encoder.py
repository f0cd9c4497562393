"""The encoder: fused parts against TensorFlow's own gradients, parts of a batch against the whole."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from tpu_train import encoder, families, fused, heads, initial, recipe
from tpu_train.batches import Batch
from tpu_train.families.network import Network
from tpu_train.recipe import Model
from tpu_train.step import Trainer

SHAPE = Model(hidden=32, layers=2, heads=4, ffn=64, embedding=16, positions=32)


def numbers(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def random_batch(examples: int = 8, length: int = 16, predictions: int = 4, vocabulary: int = 50) -> Batch:
    draw = np.random.default_rng(3)
    mask = (np.arange(length)[None] < draw.integers(8, length + 1, examples)[:, None]).astype(np.int32)
    return Batch(
        draw.integers(5, vocabulary, (examples, length)).astype(np.int32),
        draw.integers(0, 2, (examples, length)).astype(np.int32),
        mask,
        np.sort(draw.integers(0, 8, (examples, predictions))).astype(np.int32),
        draw.integers(5, vocabulary, (examples, predictions)).astype(np.int32),
        (draw.random((examples, predictions)) < 0.8).astype(np.float32),
        draw.integers(0, 2, examples).astype(np.int32),
    )


def little(**changes: object) -> recipe.Recipe:
    base = recipe.load("albert-tiny")
    return dataclasses.replace(
        base,
        model=dataclasses.replace(SHAPE, **changes),
        vocabulary=dataclasses.replace(base.vocabulary, size=50),
        training=dataclasses.replace(base.training, batch=8),
        optimizer=dataclasses.replace(base.optimizer, warmup_steps=0),
    )


def network_of(model: Model, vocabulary: int = 50) -> Network:
    base = little()
    sized = dataclasses.replace(base.vocabulary, size=vocabulary)
    return families.network(dataclasses.replace(base, model=model, vocabulary=sized))


NETWORK = network_of(SHAPE)


@pytest.mark.parametrize("activation", ["gelu_tanh", "gelu_erf"])
def test_gelu_and_its_gradient_are_tensorflows(activation: str) -> None:
    x, bias, upstream = numbers(40, 16), numbers(16, seed=1), numbers(40, 16, seed=2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, bias])
        mine = fused.bias_gelu(x, bias, activation)
        theirs = tf.nn.gelu(x + bias, approximate=activation == "gelu_tanh")
    np.testing.assert_allclose(mine, theirs, atol=2e-6)
    for a, b in zip(
        tape.gradient(mine, [x, bias], upstream), tape.gradient(theirs, [x, bias], upstream), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.parametrize("dropped", [False, True])
def test_the_residual_norm_and_its_gradients_are_tensorflows(dropped: bool) -> None:
    x, y, upstream = numbers(40, 16), numbers(40, 16, seed=1), numbers(40, 16, seed=2)
    bias, gamma, beta = numbers(16, seed=3), numbers(16, seed=4), numbers(16, seed=5)
    keep = tf.cast(numbers(40, 16, seed=6) > 0, tf.float32) * 2.0 if dropped else None
    sources = [x, y, bias, gamma, beta]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(sources)
        mine = fused.add_layer_norm(*sources, 1e-12, keep)
        z = x + (y + bias) * (1.0 if keep is None else keep)
        mean, variance = tf.nn.moments(z, -1, keepdims=True)
        theirs = (z - mean) * tf.math.rsqrt(variance + 1e-12) * gamma + beta
    np.testing.assert_allclose(mine, theirs, atol=1e-5)
    for a, b in zip(
        tape.gradient(mine, sources, upstream), tape.gradient(theirs, sources, upstream), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_softmax_and_its_gradient_are_tensorflows() -> None:
    scores, upstream = numbers(2, 3, 8, 8), numbers(2, 3, 8, 8, seed=1)
    bias = tf.constant([0.0] * 6 + [-10000.0] * 2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(scores)
        mine = fused.softmax(scores, bias, 0.3)
        theirs = tf.nn.softmax(scores * 0.3 + bias)
    np.testing.assert_allclose(mine, theirs, atol=1e-6)
    np.testing.assert_allclose(
        tape.gradient(mine, scores, upstream), tape.gradient(theirs, scores, upstream), atol=1e-6
    )


def test_every_layer_comes_back_and_padding_changes_nothing() -> None:
    weights = initial.weights(NETWORK.weights, SHAPE, seed=1)
    batch = random_batch()
    outputs = encoder.encode(
        NETWORK.encoder, weights, *map(tf.constant, (batch.ids, batch.token_types, batch.attention_mask))
    )
    assert len(outputs) == SHAPE.layers + 1
    other = np.where(batch.attention_mask == 1, batch.ids, 7).astype(np.int32)
    again = encoder.encode(
        NETWORK.encoder, weights, *map(tf.constant, (other, batch.token_types, batch.attention_mask))
    )
    kept = batch.attention_mask.reshape(-1).astype(bool)
    np.testing.assert_array_equal(outputs[-1].numpy()[kept], again[-1].numpy()[kept])


def test_parts_of_a_batch_add_up_to_the_whole_dropout_included() -> None:
    made = little(hidden_dropout=0.1, attention_dropout=0.1)
    network = families.network(made)
    values = initial.weights(network.weights, made.model, seed=0)
    batch = random_batch()
    ends = []
    for shards in (1, 3):
        trainer = Trainer(made, network, "fp32", shards)
        trainer.start(values)
        results = [trainer.run(step, batch) for step in range(5)]
        ends.append((results, trainer.read()))
    for one, many in zip(ends[0][0], ends[1][0], strict=True):
        assert (one.loss, one.gradient_norm) == pytest.approx((many.loss, many.gradient_norm), rel=1e-4)
        assert one.parts["mlm"].right == many.parts["mlm"].right
    for name, value in ends[0][1].items():
        np.testing.assert_allclose(value, ends[1][1][name], atol=1e-5, err_msg=name)


def test_the_loss_is_the_mean_over_predictions_plus_the_mean_over_pairs() -> None:
    made = little(hidden_dropout=0.0, attention_dropout=0.0)
    network = families.network(made)
    values = initial.weights(network.weights, made.model, seed=0)
    batch = random_batch()
    trainer = Trainer(made, network, "fp32")
    trainer.start(values)
    result = trainer.run(0, batch)
    last = encoder.encode(
        network.encoder, values, *map(tf.constant, (batch.ids, batch.token_types, batch.attention_mask))
    )[-1]
    logits = heads.word_logits(network.encoder, network.words, values, last)
    words = tf.nn.log_softmax(logits).numpy().reshape(8, 16, 50)
    order = tf.nn.log_softmax(heads.pair_logits(values, last, 8, 16)).numpy()
    rows = np.arange(8)[:, None]
    picked = -words[rows, batch.positions, batch.labels]
    mlm, sop = result.parts["mlm"], result.parts["sop"]
    assert mlm.loss == pytest.approx((picked * batch.weights).sum() / batch.weights.sum(), rel=1e-4)
    assert sop.loss == pytest.approx(-order[np.arange(8), batch.order_labels].mean(), rel=1e-5)
    assert mlm.count == batch.weights.sum()
    assert result.loss == pytest.approx(mlm.loss + sop.loss)


def dropped(shape: tuple[int, int], step: int, first: int) -> np.ndarray:
    key = tf.constant([1, 2], tf.uint32)
    return fused.dropout_factors(
        shape, 0.1, key, tf.constant(step, tf.int64), tf.constant(first, tf.int64)
    ).numpy()


def test_dropout_is_drawn_anew_each_step_at_its_rate() -> None:
    draw = [dropped((200, 50), step, 0) for step in (0, 1)]
    for factors in draw:
        assert (factors == 0).mean() == pytest.approx(0.1, abs=0.012)
        np.testing.assert_allclose(np.unique(factors), [0, 1 / 0.9], rtol=1e-6)
    assert ((draw[0] == 0) & (draw[1] == 0)).mean() == pytest.approx(0.01, abs=0.004)
    later = dropped((100, 50), 0, 100 * 50)
    np.testing.assert_array_equal(later, draw[0][100:])


def test_bf16_products_stay_near_fp32() -> None:
    made = little(hidden_dropout=0.0, attention_dropout=0.0)
    network = families.network(made)
    losses = []
    for dtype in ("fp32", "bf16"):
        trainer = Trainer(made, network, dtype)
        trainer.start(initial.weights(network.weights, made.model, seed=0))
        losses.append([trainer.run(step, random_batch()).parts["mlm"].loss for step in range(10)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)
    assert losses[0][-1] < losses[0][0]


def test_weights_begin_as_released() -> None:
    model = dataclasses.replace(SHAPE, hidden=128, ffn=256)
    values = initial.weights(network_of(model, 3000).weights, model, seed=5)
    table = values["bert/embeddings/word_embeddings"]
    assert np.abs(table).max() <= 0.04
    truncated = 0.02 * math.sqrt(1 - 2 * 2 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
    assert table.std() == pytest.approx(truncated, rel=0.02)
    assert abs(table.mean()) < 3e-4
    again = initial.weights(network_of(model, 3000).weights, model, seed=5)
    for name, value in values.items():
        np.testing.assert_array_equal(value, again[name])
        if name.endswith(("bias", "beta")):
            assert not value.any()
        elif name.endswith("gamma"):
            assert (value == 1).all()


def test_sinusoidal_positions_have_the_asked_size_and_tell_distances() -> None:
    model = dataclasses.replace(SHAPE, position_init="sinusoidal", initializer_range=0.06, embedding=64)
    places = initial.weights(network_of(model).weights, model, seed=5)["bert/embeddings/position_embeddings"]
    assert np.sqrt((places**2).mean()) == pytest.approx(0.06, rel=1e-3)
    products = places @ places.T
    np.testing.assert_allclose(products[4, 9], products[20, 25], rtol=1e-4)


def test_grouped_layers_have_weights_of_their_own() -> None:
    model = dataclasses.replace(SHAPE, groups=2)
    shared, grouped = NETWORK.weights, network_of(model).weights
    assert len(grouped) - len(shared) == 16
    assert len({weight.hugging_face for weight in grouped}) == len(grouped)
