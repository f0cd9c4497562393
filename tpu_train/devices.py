"""The devices that share a batch: one CPU or several logical ones, GPUs, a TPU; those of other machines, too.

Chooses a ``tf.distribute`` strategy from one option. Imported once TensorFlow has been prepared.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from tpu_train.cluster import ALONE, Cluster
from tpu_train.errors import InputError
from tpu_train.recipe import Recipe, stages


def strategy(device: str, replicas: int, cluster: Cluster = ALONE) -> tf.distribute.Strategy | None:
    """The strategy of ``--device``, ``--replicas`` and ``TF_CONFIG``; None for a single CPU.

    - a cluster of several workers: its members' GPUs, or the CPU of each, mirrored by collective operations.
    - ``cpu``: so many logical devices on this machine's CPU (``hardware.prepare`` made them), mirrored.
    - ``gpu``: the first ``replicas`` GPUs (0: all), mirrored.
    - ``tpu``: the TPU of this machine (``tensorflow-tpu``).

    Raises:
        InputError: the devices are not there.
    """
    if cluster.workers > 1:
        return _many_workers(device, replicas, cluster)
    if device == "cpu":
        return _mirrored([f"CPU:{number}" for number in range(replicas)]) if replicas > 1 else None
    if device == "gpu":
        return _gpus(replicas)
    return _tpu()


def check(recipe: Recipe, replicas: int) -> None:
    """Refuses batches that do not split evenly.

    Raises:
        InputError: names the batch and what it should be a multiple of.
    """
    parts = replicas * recipe.training.accumulate
    for _, _, own in stages(recipe):
        if own.training.batch % parts:
            raise InputError(
                f"A batch of {own.training.batch} sequences does not split into {replicas} replicas × "
                f"{recipe.training.accumulate} stretches (training.accumulate): take a multiple of {parts}."
            )


def _gpus(count: int) -> tf.distribute.Strategy:
    found = tf.config.list_physical_devices("GPU")
    if not found or count > len(found):
        raise InputError(
            f"--device gpu --replicas {count or 'all'}: TensorFlow sees {len(found)} GPUs. "
            "Install tensorflow[and-cuda], or take --device cpu."
        )
    return _mirrored([f"GPU:{number}" for number in range(count or len(found))])


def _many_workers(device: str, replicas: int, cluster: Cluster) -> tf.distribute.Strategy:
    if device == "tpu":
        raise InputError("--device tpu: a TPU's hosts are found by themselves; leave TF_CONFIG unset.")
    if device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise InputError(f"--device gpu: TensorFlow sees no GPU at worker {cluster.worker} of TF_CONFIG.")
    made = tf.distribute.MultiWorkerMirroredStrategy()
    if replicas not in (0, made.num_replicas_in_sync):
        raise InputError(
            f"--replicas {replicas}: the {cluster.workers} workers of TF_CONFIG make "
            f"{made.num_replicas_in_sync} replicas (a CPU, or all GPUs, of each). Leave --replicas out."
        )
    return made


def _mirrored(devices: Sequence[str]) -> tf.distribute.Strategy:
    # One device adds up in a fixed order: sums repeat to the last bit.
    return tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise InputError(
            f"--device tpu: TensorFlow finds no TPU here ({error}). It needs pip install "
            "'lm-embryology[tpu]' in an environment of its own, on a TPU machine."
        ) from None
