"""What this machine computes with, found without loading a model library where there is no GPU."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Literal

from evaluators.settings import DtypeChoice

#: There where the kernel drives an NVIDIA GPU: only then is it worth loading PyTorch to ask.
_NVIDIA = Path("/dev/nvidiactl")
_AMPERE = (8, 0)

Dtype = Literal["fp32", "bf16"]


def resolve_dtype(choice: DtypeChoice) -> Dtype:
    """``auto`` is bf16 where hardware multiplies it (a GPU from Ampere on; AMX, AVX-512 BF16), else fp32.

    Where there is a GPU it decides, for it computes.
    """
    if choice != "auto":
        return choice
    if _NVIDIA.exists():
        import torch

        if torch.cuda.is_available():
            return "bf16" if torch.cuda.get_device_capability() >= _AMPERE else "fp32"
    return "bf16" if _processor_flags() & {"amx_bf16", "avx512_bf16"} else "fp32"


def _processor_flags() -> frozenset[str]:
    if platform.system() != "Linux":
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
