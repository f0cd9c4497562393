"""TensorBoard event files of a run's log lines, in ``events/``. Knows numbers and files, nothing of training.

Written record by record with TensorFlow's own writer; TensorBoard itself is not needed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from tpu_train.places import Place

FOLDER = "events"


class Events:
    """One process's event file: another start adds another file, as TensorBoard expects."""

    def __init__(self, run: Place) -> None:
        """Opens a new file in the run's ``events/``."""
        import tensorflow as tf

        folder = run / FOLDER
        folder.mkdir(exist_ok=True)
        # Milliseconds: two starts within a second get two files, in their order.
        self._writer = tf.io.TFRecordWriter(str(folder / f"events.out.tfevents.{time.time():.3f}.embryo"))
        self._event = tf.compat.v1.Event
        self._write(file_version="brain.Event:2")

    def add(self, line: Mapping[str, float | int]) -> None:
        """One scalar for each number of a log line but its step."""
        event = self._event(wall_time=time.time(), step=int(line["step"]))
        for name, value in line.items():
            if name != "step":
                event.summary.value.add(tag=name, simple_value=float(value))
        self._writer.write(event.SerializeToString())
        self._writer.flush()

    def _write(self, file_version: str) -> None:
        event = self._event(wall_time=time.time(), file_version=file_version)
        self._writer.write(event.SerializeToString())
        self._writer.flush()
