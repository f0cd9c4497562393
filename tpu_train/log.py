"""``train_log.jsonl``: one line an interval, never a line twice. Knows sums and files, no TensorFlow."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tpu_train import atomic
from tpu_train.places import Place
from tpu_train.results import StepResult

LOG = "train_log.jsonl"


@dataclass
class Interval:
    """Sums over the steps since the last line."""

    sums: dict[str, float] = field(default_factory=dict)

    def add(self, result: StepResult, seconds: float, tokens: int, operations: int) -> None:
        """Adds what one step saw, how long it took, how many tokens it had and operations it needed."""
        values = {"loss": result.loss, "gradient_norm": result.gradient_norm, **result.extras}
        values["operations"] = float(operations)
        for name, part in result.parts.items():
            values |= {f"{name}_loss": part.loss, f"{name}_right": part.right, f"{name}_count": part.count}
        for name, value in {"steps": 1.0, "seconds": seconds, "tokens": float(tokens), **values}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def line(
        self, step: int, tokens: int, rate: float, result: StepResult, peak: float
    ) -> dict[str, float | int]:
        """The line that ends the interval at ``step`` with ``result``; losses in nats, means over it.

        ``peak`` is what the machine does of matrix products alone, in operations a second.
        """
        sums, steps = self.sums, self.sums["steps"]
        done = sums.get("operations", 0.0) / max(sums["seconds"], 1e-9)
        return {
            "step": step,
            "loss": sums["loss"] / steps,
            **{f"{name}_loss": sums[f"{name}_loss"] / steps for name in result.parts},
            **{
                f"{name}_accuracy": sums[f"{name}_right"] / max(sums[f"{name}_count"], 1.0)
                for name in result.parts
            },
            **{name: sums[name] / steps for name in result.extras},
            "learning_rate": rate,
            "grad_norm": sums["gradient_norm"] / steps,
            "tokens": tokens,
            "seconds": round(sums["seconds"], 3),
            "tokens_per_second": round(sums["tokens"] / max(sums["seconds"], 1e-9), 1),
            "flops_per_second": round(done),
            "mfu": round(done / peak, 4),
        }


def append(run: Place, line: dict[str, float | int]) -> None:
    """Adds a line and waits until it is stored."""
    atomic.append(run / LOG, json.dumps(line, allow_nan=False).encode() + b"\n")


def cut_after(run: Place, step: int) -> None:
    """Drops lines of later steps than ``step``, and a last line that a killed process left half-written."""
    path = run / LOG
    if not path.is_file():
        return
    kept = []
    for raw in path.read_bytes().splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            break
        if line["step"] > step:
            break
        kept.append(raw)
    atomic.write_bytes(path, b"".join(raw + b"\n" for raw in kept))
