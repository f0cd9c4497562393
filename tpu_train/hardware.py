"""The machine: how many threads, which number format, and TensorFlow set up for repeatable arithmetic."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tpu_train.errors import InputError

DType = Literal["fp32", "bf16"]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_amx() -> bool:
    """Whether the CPU multiplies bf16 matrices in hardware (AMX); elsewhere bf16 is slower than fp32."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False


def compute_dtype(asked: str) -> DType:
    """``auto`` as bf16 where it pays, else as asked."""
    if asked == "auto":
        return "bf16" if has_amx() else "fp32"
    return "bf16" if asked == "bf16" else "fp32"


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


def prepare(threads: int, device: str = "cpu", replicas: int = 1) -> None:
    """Loads TensorFlow with ``threads`` threads and repeatable arithmetic.

    Args:
        threads: of the CPU.
        device: accelerators are left out of sight for ``cpu``.
        replicas: logical devices to make of the CPU.

    Raises:
        InputError: TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if device == "cpu":
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    try:
        with _without_chatter():
            import tensorflow as tf

            # One thread an operation: the batch is split over the threads instead (step.Trainer's shards).
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
            tf.config.experimental.enable_op_determinism()
            tf.get_logger().setLevel("ERROR")
            if device == "cpu" and replicas > 1:
                logical = [tf.config.LogicalDeviceConfiguration() for _ in range(replicas)]
                tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
            tf.constant(0)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed. Training needs it: pip install 'lm-embryology[train]'."
        ) from None
