"""Only uploaded files are read: an address in a file field is refused before anything is fetched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import gradio as gr

Mover = Callable[["str | Path | None"], Awaitable["str | None"]]


def local_files_only(page: gr.Blocks) -> None:
    """Make every component of the page refuse addresses where it expects a file.

    Gradio downloads an ``http`` address that a caller passes instead of an upload; this page never needs that.
    """
    for block in page.blocks.values():
        if isinstance(block, gr.components.Component):
            holder: Any = block  # the method becomes an attribute of this one component
            holder.async_move_resource_to_block_cache = _refusing(block.async_move_resource_to_block_cache)


def _refusing(move: Mover) -> Mover:
    async def move_local(source: str | Path | None) -> str | None:
        if source is not None and "://" in str(source):
            raise gr.Error("image: addresses are not fetched; upload the file.", print_exception=False)
        return await move(source)

    return move_local
