"""The page's look: graphite on paper white, one signal colour, system fonts in both scripts."""

from __future__ import annotations

from pathlib import Path

from gradio.themes import Base, Color, Font

SANS = ("Inter", "SF Pro Text", "Segoe UI", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei UI")
CJK = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "sans-serif")
MONO = ("SF Mono", "Cascadia Mono", "Consolas", "Liberation Mono", "Noto Sans Mono CJK SC", "monospace")

GRAPHITE = Color(
    name="graphite",
    c50="#f6f7f6", c100="#eceeed", c200="#dcdfdd", c300="#bfc4c2", c400="#8f9693",
    c500="#666d6a", c600="#4d5451", c700="#383e3c", c800="#232827", c900="#181c1b", c950="#101312",
)  # fmt: skip
SIGNAL = Color(
    name="signal",
    c50="#fff4ec", c100="#ffe4d1", c200="#ffc6a1", c300="#ff9f66", c400="#f77f38",
    c500="#e0621a", c600="#b8470c", c700="#973a0c", c800="#772f0d", c900="#5c260d", c950="#331305",
)  # fmt: skip


def page_theme() -> Base:
    """A Gradio theme; ``page.css`` does what a theme cannot."""
    return Base(
        primary_hue=SIGNAL,
        secondary_hue=GRAPHITE,
        neutral_hue=GRAPHITE,
        font=[Font(name) for name in SANS + CJK],
        font_mono=[Font(name) for name in MONO],
        radius_size="sm",
        spacing_size="md",
        text_size="md",
    ).set(
        body_background_fill="#eff1f0",
        body_background_fill_dark="#0e1110",
        body_text_color="#181c1b",
        body_text_color_dark="#e6e9e8",
        body_text_color_subdued="#5a615e",
        body_text_color_subdued_dark="#a3aaa7",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#171b1a",
        background_fill_secondary="#f6f7f6",
        background_fill_secondary_dark="#1d2221",
        border_color_primary="#dcdfdd",
        border_color_primary_dark="#2e3533",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_border_width_dark="0px",
        block_label_shadow="none",
        block_label_text_color="#4d5451",
        block_label_text_color_dark="#bfc4c2",
        block_title_text_color="#383e3c",
        block_title_text_color_dark="#d5d9d7",
        block_title_text_weight="500",
        block_title_text_size="0.84rem",
        block_info_text_color="#5a615e",
        block_info_text_color_dark="#a3aaa7",
        block_info_text_size="0.78rem",
        input_background_fill="#ffffff",
        input_background_fill_dark="#101312",
        input_border_color="#bfc4c2",
        input_border_color_dark="#3b4340",
        input_border_color_focus="#b8470c",
        input_border_color_focus_dark="#f77f38",
        input_border_width="1px",
        input_placeholder_color="#6b726f",
        input_placeholder_color_dark="#8f9693",
        input_shadow="none",
        input_shadow_focus="none",
        slider_color="#b8470c",
        slider_color_dark="#f77f38",
        checkbox_background_color_selected="#b8470c",
        checkbox_background_color_selected_dark="#c9560f",
        checkbox_border_color_selected="#b8470c",
        checkbox_border_color_selected_dark="#c9560f",
        checkbox_border_color="#8f9693",
        checkbox_border_color_dark="#666d6a",
        button_primary_background_fill="#b8470c",
        button_primary_background_fill_dark="#f08a4b",
        button_primary_background_fill_hover="#973a0c",
        button_primary_background_fill_hover_dark="#ff9f66",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#181006",
        button_primary_text_color_hover="#ffffff",
        button_primary_text_color_hover_dark="#181006",
        button_primary_border_color="transparent",
        button_primary_border_color_dark="transparent",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#1d2221",
        button_secondary_background_fill_hover="#f0f2f1",
        button_secondary_background_fill_hover_dark="#262c2a",
        button_secondary_border_color="#bfc4c2",
        button_secondary_border_color_dark="#3b4340",
        button_secondary_text_color="#232827",
        button_secondary_text_color_dark="#e6e9e8",
        button_border_width="1px",
        button_large_text_size="0.95rem",
        button_large_text_weight="600",
        button_small_text_weight="500",
        loader_color="#b8470c",
        loader_color_dark="#f77f38",
    )


def page_css() -> str:
    """The style sheet handed to ``launch(css=...)``."""
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def page_script() -> str:
    """The ``<head>`` fragment: keyboard shortcut and the document's language."""
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    return f'<meta name="color-scheme" content="light dark">\n<script>\n{script}</script>'
