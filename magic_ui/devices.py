"""Where models run, and in which arithmetic."""

from __future__ import annotations

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
