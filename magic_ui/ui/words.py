"""Which component shows which text, so that one call makes the whole page speak another language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from magic_ui.ui.strings import say

Built = Callable[[str], Any]


@dataclass
class Words:
    """Remembers which component shows which text, so that one call speaks another language."""

    entries: list[tuple[Any, dict[str, Built]]] = field(default_factory=list)

    def add(self, component: Any, **built: str | Built) -> Any:
        """Bind the component's properties to string keys, or to functions of the language; returns it."""
        makers = {name: _maker(source) for name, source in built.items()}
        self.entries.append((component, makers))
        return component

    @property
    def components(self) -> list[Any]:
        """What ``updates`` updates."""
        return [component for component, _ in self.entries]

    def updates(self, language: str) -> list[dict[str, Any]]:
        """One update per component, in the order of ``components``."""
        return [gr.update(**{name: make(language) for name, make in makers.items()}) for _, makers in self.entries]


def _maker(source: str | Built) -> Built:
    return source if callable(source) else lambda language: say(source, language)
