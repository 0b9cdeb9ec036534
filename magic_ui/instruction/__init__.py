"""Words to ``DefectSpec`` to prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magic_ui.instruction.spec import DefectSpec

if TYPE_CHECKING:
    from magic_ui.instruction.parser import parse_instruction
    from magic_ui.instruction.prompt import build_prompt, describe

__all__ = ["DefectSpec", "build_prompt", "describe", "parse_instruction"]

_HOME = {"parse_instruction": "parser", "build_prompt": "prompt", "describe": "prompt"}


def __getattr__(name: str) -> Any:
    """Load the lexicon's readers only when they are asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
