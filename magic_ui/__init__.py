"""Realistic defects on pictures of normal parts, from a sentence.

>>> import magic_ui
>>> studio = magic_ui.DefectStudio.from_pretrained()
>>> plan = studio.plan("screw.png", "在螺丝头部生成一处细划痕")
>>> studio.generate(plan, anomaly_strength=0.5)[0].image.save("scratched.png")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import CheckpointError, InputError, MagicError
    from .images import load_image
    from .instruction import DefectSpec, build_prompt, parse_instruction
    from .localize import Plan
    from .studio import DefectStudio, Progress, Result

__version__ = "0.1.0"

# Name → module, read when first used: importing magic_ui must not cost a visitor of the parser the load of torch.
_HOME = {
    "CheckpointError": "errors", "InputError": "errors", "MagicError": "errors", "load_image": "images",
    "DefectSpec": "instruction", "build_prompt": "instruction", "parse_instruction": "instruction", "Plan": "localize",
    "DefectStudio": "studio", "Progress": "studio", "Result": "studio",
}  # fmt: skip

__all__ = [
    "CheckpointError", "DefectSpec", "DefectStudio", "InputError", "MagicError", "Plan", "Progress", "Result",
    "__version__", "build_prompt", "load_image", "parse_instruction",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
