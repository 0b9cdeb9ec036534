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
    """``auto`` → bfloat16 where matrix units take it (CUDA, AMX), else float32."""
    if dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    has_amx = device.type == "cpu" and capabilities.get("amx_bf16", False)
    return torch.bfloat16 if device.type == "cuda" or has_amx else torch.float32
