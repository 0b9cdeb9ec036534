"""The page's own HTML, built from plain values. Every value that a visitor may have written is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from magic_ui.errors import InputError
from magic_ui.ui.strings import has, say

_EXPLAINED_AS = {"mask_source": "mask", "foreground": "mask", "plan": "mask"}
UNSURE = 0.5
"""Confidence below which the page draws the eye to it."""

Rows = Sequence[tuple[str, str]]

_MARK = (
    '<svg class="mark" viewBox="0 0 32 32" width="30" height="30" aria-hidden="true">'
    '<path d="M3 10V3h7M22 3h7v7M29 22v7h-7M10 29H3v-7" fill="none" stroke="currentColor" stroke-width="2.2"/>'
    '<path d="M10.5 20.5c2.2-4.4 3.4-.4 5.4-4.2s3-2.6 5.6-5.2" fill="none" stroke="var(--signal)" '
    'stroke-width="2.6" stroke-linecap="round"/></svg>'
)


def header(language: str, facts: Sequence[str]) -> str:
    """The wordmark, the one-line promise and the loaded model's facts."""
    chips = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    return (
        f'<div class="brand">{_MARK}<div><h1>{_say("brand.title", language)}</h1>'
        f"<p>{_say('brand.line', language)}</p></div></div>"
        f'<div class="model" aria-label="{_say("brand.model", language)}">{chips}</div>'
    )


def step_heading(key: str, number: int | None, language: str) -> str:
    """A section's heading: its number where the order matters, its name, what to do there."""
    index = f'<span class="step-number">{number}</span>' if number else ""
    return (
        f'<div class="step-heading"><h2>{index}{_say(f"step.{key}", language)}</h2>'
        f"<p>{_say(f'step.{key}.hint', language)}</p></div>"
    )


def part_facts(title: str, size: tuple[int, int], notes: Iterable[str]) -> str:
    """One line about the chosen picture: name, width × height, what the decoder had to say."""
    height, width = size
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    listed = f"<ul>{said}</ul>" if said else ""
    return f'<div class="part-facts"><b>{escape(title)}</b><span>{width} × {height} px</span>{listed}</div>'


def quiet(key: str, language: str) -> str:
    """A muted sentence for an empty place."""
    return f'<p class="quiet">{_say(key, language)}</p>'


def understood(cards: Sequence[tuple[Rows, Sequence[str]]], language: str) -> str:
    """What the studio understood: one card a defect, each slot a chip.

    Args:
        cards: for every defect its (label, value) rows and the words that were not understood.
        language: "en" or "zh".
    """
    many = len(cards) > 1
    body = "".join(
        _defect_card(rows, unknown, number if many else None, language)
        for number, (rows, unknown) in enumerate(cards, start=1)
    )
    return f'<div class="understood" role="status" aria-live="polite">{_understood_title(language)}{body}</div>'


def understood_empty(language: str) -> str:
    """The panel before anything was typed."""
    hint = quiet("understood.empty", language)
    return f'<div class="understood">{_understood_title(language)}{hint}</div>'


def error_card(error: InputError, language: str) -> str:
    """An input error in the visitor's words: what is wrong, what to do, and the exact message beneath."""
    key = error_key(error.field)
    return (
        f'<div class="error-card" role="alert"><b>{_say(key, language)}</b>'
        f"<p>{_say(key + '.help', language)}</p>" + f'<small lang="en">{escape(error.message)}</small></div>'
    )


def error_key(field: str) -> str:
    """The string key that explains an ``InputError`` of this field."""
    known = _EXPLAINED_AS.get(field, field)
    return f"error.{known}" if has(f"error.{known}.help") else "error.number"


def understood_error(error: InputError, language: str) -> str:
    """The panel when the sentence cannot be understood."""
    return f'<div class="understood">{_understood_title(language)}{error_card(error, language)}</div>'


def legend(language: str, *, moved: bool = False) -> str:
    """What the colours over the part mean."""
    keys = ("mask", *(("before",) if moved else ()), "region", "object")
    return '<div class="legend">' + "".join(
        f'<span><i class="swatch {key}"></i>{_say(f"legend.{key}", language)}</span>' for key in keys
    ) + "</div>"  # fmt: skip


def plan_facts(
    share: float, pixels: int, notes: Sequence[str], language: str, *, confidence: float = 1.0, moved: bool = False
) -> str:
    """How large the mask is, and why it lies there.

    Args:
        share: mask pixels over the part's pixels, 0 to 1.
        pixels: mask pixels.
        notes: the plan's notes.
        language: "en" or "zh".
        confidence: how sure the place is, 0 to 1.
        moved: alignment moved the mask; the legend explains the dashes.
    """
    percent = f"{100 * share:.1f}" if share >= 0.001 else f"{100 * share:.3f}"
    area = _say("stage.area", language, share=percent, pixels=f"{pixels:,}")
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    why = f"<details open><summary>{_say('stage.why', language)}</summary><ul>{said}</ul></details>" if said else ""
    sure = _say("stage.confidence", language, percent=f"{100 * confidence:.0f}")
    tone = ' class="unsure"' if confidence < UNSURE else ""
    area = f'<p class="area">{area} · <span{tone}>{sure}</span></p>'
    return f'<div class="plan-facts">{legend(language, moved=moved)}{area}{why}</div>'


def stage_message(language: str, error: InputError | None = None) -> str:
    """Beneath the stage when there is no plan."""
    return f'<div class="plan-facts">{error_card(error, language) if error else legend(language)}</div>'


def status(text: str, language: str, *, fraction: float | None = None, tone: str = "calm") -> str:
    """The painter's status line.

    Args:
        text: already translated.
        language: "en" or "zh".
        fraction: 0 to 1 draws a bar.
        tone: "calm", "busy", "good" or "bad".
    """
    bar = ""
    if fraction is not None:
        percent = round(100 * min(max(fraction, 0.0), 1.0))
        bar = (
            f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}" '
            f'aria-label="{_say("result.live", language)}"><i style="width:{percent}%"></i></div>'
        )
    return f'<div class="status {escape(tone)}" aria-live="polite"><span class="lamp"></span>{escape(text)}{bar}</div>'


def result_empty(language: str) -> str:
    """The result area before the first painting."""
    return (
        '<div class="result-empty"><svg viewBox="0 0 64 64" width="56" height="56" aria-hidden="true">'
        '<path d="M6 18V6h12M46 6h12v12M58 46v12H46M18 58H6V46" fill="none" stroke="currentColor" stroke-width="2"/>'
        '<path d="M32 20v24M20 32h24" stroke="currentColor" stroke-width="2"/></svg>'
        f"<b>{_say('result.empty', language)}</b><p>{_say('result.empty.hint', language)}</p></div>"
    )


def result_facts(rows: Rows, *, weak: bool, language: str) -> str:
    """The opened result in numbers, with a warning when hardly anything changed."""
    warning = f'<p class="weak" role="alert">{_say("result.weak.long", language)}</p>' if weak else ""
    listed = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in rows)
    return f'<div class="result-facts">{warning}<dl>{listed}</dl></div>'


def download_note(language: str) -> str:
    """The sentence under the download buttons."""
    return f'<p class="quiet">{_say("download.note", language)}</p>'


def plain_error(error: InputError, language: str = "en") -> str:
    """An input error as one escaped sentence, for toasts and for API callers."""
    return f"{_say(error_key(error.field), language)}. {escape(str(error))}"


def _understood_title(language: str) -> str:
    return f"<h3>{_say('understood.title', language)}</h3>"


def _defect_card(rows: Rows, unknown: Sequence[str], number: int | None, language: str) -> str:
    title = f"<h4>{_say('understood.defect', language, number=number)}</h4>" if number else ""
    chips = "".join(
        f'<span class="slot"><em>{escape(label)}</em>{escape(value)}</span>' for label, value in rows if value
    )
    missed = ""
    if unknown:
        words = "".join(f"<q>{escape(word)}</q>" for word in unknown)
        missed = f'<p class="unknown">{_say("understood.unknown", language)}: {words}</p>'
    return f'<div class="defect-card">{title}<div class="slots">{chips}</div>{missed}</div>'


def _say(key: str, language: str, **values: object) -> str:
    return escape(say(key, language, **values))
