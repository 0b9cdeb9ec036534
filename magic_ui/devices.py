"""Where models run, and in which arithmetic."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch


def pick_device(device: str) -> torch.device:
    """``auto`` → CUDA, then Apple's GPU, then the CPU; anything else as torch reads it."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """``auto`` → bfloat16 on CUDA, else float32.

    Matrix units of some CPUs are faster with bfloat16, but a picture would then depend on what it shares a batch with,
    and be far from what diffusers' own pipeline paints.
    """
    if dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def mixed_precision(device: torch.device) -> AbstractContextManager[Any]:
    """For training: bfloat16 autocast where the machine multiplies it faster than float32 (CUDA, AMX, AVX-512 BF16)."""
    dtype = pick_dtype("auto", device)
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        can = torch.cpu.get_capabilities()
        dtype = torch.bfloat16 if can.get("amx_bf16", False) or can.get("avx512_bf16", False) else dtype
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)
