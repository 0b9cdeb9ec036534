"""The web page: one Gradio app over the studio."""

from magic_ui.ui.page import build_page, launch

__all__ = ["build_page", "launch"]
