"""LAMB and AdamW as released, against references written from the formulas in float64."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from tpu_train import optimizers
from tpu_train.optimizers import Layout
from tpu_train.recipe import Optimizer

SHAPES = {
    "bert/embeddings/word_embeddings": (40, 8),
    "encoder/dense/kernel": (8, 16),
    "encoder/dense/bias": (16,),
    "encoder/LayerNorm/gamma": (16,),
    "encoder/LayerNorm_1/beta": (16,),
    "cls/predictions/output_bias": (40,),
    "zero/kernel": (4, 4),
}
STEPS = 50
Arrays = dict[str, npt.NDArray[np.float64]]


def start() -> Arrays:
    draw = np.random.default_rng(0)
    values = {name: draw.normal(0, 0.02, shape) for name, shape in SHAPES.items()}
    values["encoder/dense/bias"][:] = 0
    values["zero/kernel"][:] = 0
    values["encoder/LayerNorm/gamma"][:] = 1
    return {name: value.astype(np.float32).astype(np.float64) for name, value in values.items()}


def gradients(step: int) -> Arrays:
    """A different gradient every step, of very different sizes, some above the clip and some below."""
    draw = np.random.default_rng(100 + step)
    scale = 10.0 ** draw.uniform(-4, 0)
    return {
        name: (draw.normal(0, scale, shape)).astype(np.float32).astype(np.float64)
        for name, shape in SHAPES.items()
    }


def reference(kind: str, rate: float, clip: float) -> Arrays:
    """Fifty updates from the formulas: no bias correction, decay inside the direction, exclusions."""
    weights = start()
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    for step in range(STEPS):
        found = gradients(step)
        norm = np.sqrt(sum(float((value**2).sum()) for value in found.values()))
        for name, weight in weights.items():
            gradient = found[name] * (clip / max(norm, clip))
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            direction = first[name] / (np.sqrt(second[name]) + 1e-6)
            ratio = 1.0
            if "LayerNorm" not in name and "bias" not in name:
                direction = direction + 0.01 * weight
                size, length = np.linalg.norm(weight), np.linalg.norm(direction)
                if kind == "lamb" and size > 0 and length > 0:
                    ratio = size / length
            weights[name] = weight - ratio * rate * direction
    return weights


def trained(kind: Any, rate: float, clip: float) -> dict[str, npt.NDArray[np.float32]]:
    settings = Optimizer(kind, learning_rate=rate, warmup_steps=0, clip_norm=clip)
    sizes = [int(np.prod(shape)) for shape in SHAPES.values()]
    layout = Layout.of(list(SHAPES), sizes, settings)

    def flat(values: Arrays) -> Any:
        return tf.constant(np.concatenate([value.ravel() for value in values.values()]), tf.float32)

    weights = flat(start())
    first = second = tf.zeros_like(weights)
    for step in range(STEPS):
        gradient, _ = optimizers.clipped(flat(gradients(step)), clip)
        weights, first, second = optimizers.update(
            settings, layout, weights, gradient, first, second, tf.constant(rate)
        )
    parts = np.split(weights.numpy(), np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(SHAPES.items(), parts, strict=True)}


@pytest.mark.parametrize("kind", ["lamb", "adamw"])
def test_fifty_updates_match_the_formula(kind: str) -> None:
    mine, theirs = trained(kind, 2e-3, 1.0), reference(kind, 2e-3, 1.0)
    for name in SHAPES:
        np.testing.assert_allclose(mine[name], theirs[name], atol=1e-5, err_msg=name)
        assert np.abs(theirs[name] - start()[name]).max() > 1e-3  # the bound above means something


def test_the_clip_reports_the_norm_before() -> None:
    gradient, norm = optimizers.clipped(tf.constant([3.0, 4.0]), 1.0)
    assert float(norm) == pytest.approx(5.0)
    np.testing.assert_allclose(gradient.numpy(), [0.6, 0.8], rtol=1e-6)
    small, _ = optimizers.clipped(tf.constant([0.3, 0.4]), 1.0)
    np.testing.assert_allclose(small.numpy(), [0.3, 0.4], rtol=1e-6)
