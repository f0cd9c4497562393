"""What this machine computes with, found without loading a model library."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Literal

from evaluators.settings import DtypeChoice

Dtype = Literal["fp32", "bf16"]


def resolve_dtype(choice: DtypeChoice) -> Dtype:
    """``auto`` is bf16 where the processor multiplies it in hardware (AMX, AVX-512 BF16), else fp32."""
    if choice != "auto":
        return choice
    return "bf16" if _processor_flags() & {"amx_bf16", "avx512_bf16"} else "fp32"


def _processor_flags() -> frozenset[str]:
    if platform.system() != "Linux":
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
