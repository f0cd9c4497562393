"""The machine: how many threads, which number format, and TensorFlow set up for repeatable arithmetic."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from tpu_train.errors import InputError

DType = Literal["fp32", "bf16"]
#: Below this hidden size, AVX-512's bf16 products save less than casting costs.
_WIDE = 256
#: Square matrices large enough for a product to reach its best rate, and turns to find it in.
_PEAK_SIZE, _PEAK_TURNS = 1024, 8


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compute_dtype(asked: str, hidden: int) -> DType:
    """``auto`` as bf16 where it pays, else as asked.

    That is on a CPU with AMX and, for a model of some width, on one with AVX-512's bf16 products.
    """
    if asked == "auto":
        return "bf16" if _has("amx_bf16") or (hidden >= _WIDE and _has("avx512_bf16")) else "fp32"
    return "bf16" if asked == "bf16" else "fp32"


def _has(flag: str) -> bool:
    try:
        return flag in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False


def gemm_peak(dtype: str, threads: int) -> float:
    """Operations a second of large matrix products alone, as many side by side as there are threads.

    The best of some turns; a second or two. Call ``prepare`` before.
    """
    import tensorflow as tf

    kind = tf.bfloat16 if dtype == "bf16" else tf.float32
    inputs = [tf.cast(tf.fill([_PEAK_SIZE, _PEAK_SIZE], 0.5 + i), kind) for i in range(threads)]
    products = tf.function(lambda *given: [tf.matmul(x, x) for x in given], autograph=False)
    best = math.inf
    for _ in range(_PEAK_TURNS):
        begin = time.perf_counter()
        for product in products(*inputs):
            product.numpy()
        best = min(best, time.perf_counter() - begin)
    return threads * 2.0 * _PEAK_SIZE**3 / best


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keeps what TensorFlow's C++ side writes to standard error while it loads out of the user's sight."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as away:
            os.dup2(away.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def tensorflow() -> Any:
    """TensorFlow, loaded without its chatter.

    Raises:
        InputError: it is not installed.
    """
    loaded = sys.modules.get("tensorflow")
    if loaded is not None:
        return loaded
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _without_chatter():
            import tensorflow as tf
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed. Training needs it: pip install 'lm-embryology[train]'."
        ) from None
    tf.get_logger().setLevel("ERROR")
    return tf


def prepare(threads: int, device: str = "cpu", replicas: int = 1, alone: bool = True) -> None:
    """Loads TensorFlow with ``threads`` threads and repeatable arithmetic.

    Args:
        threads: of the CPU.
        device: accelerators are left out of sight for ``cpu``.
        replicas: logical devices to make of the CPU.
        alone: makes them now. With other workers, their strategy has to be TensorFlow's first operation.

    Raises:
        InputError: TensorFlow is not installed.
    """
    if device == "cpu":
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    tf = tensorflow()
    with _without_chatter():
        # One thread an operation: the batch is split over the threads instead (step.Trainer's shards).
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.experimental.enable_op_determinism()
        if device == "cpu" and replicas > 1:
            logical = [tf.config.LogicalDeviceConfiguration() for _ in range(replicas)]
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
        if alone:
            tf.constant(0)
