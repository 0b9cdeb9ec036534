"""The report: one HTML file that needs nothing else, and the same figures as JSON."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .findings import Findings, Sheet
from .plots import bars, confusion_table, rising_lines
from .table import Row

_TILE = 104
_CONFUSIONS = {
    "confusion_renders": "Classifier on held-out renders",
    "confusion_painted": "Painted, the product's prompt",
    "confusion_zh": "Painted, Chinese prompt",
    "confusion_en": "Painted, English prompt",
    "confusion_cutpaste": "CutPaste in the same masks",
    "confusion_unseen": "Categories never trained on",
}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;color:#1d2530}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}
table{border-collapse:collapse}td,th{padding:.25rem .6rem;text-align:left;border-bottom:1px solid #e3e7ec}
td.n{text-align:right;font-variant-numeric:tabular-nums}.ok{color:#137a3f}.missed{color:#b3261e;font-weight:600}
.note{color:#5b6675;font-size:.85rem}.plots{display:flex;flex-wrap:wrap;gap:1.5rem}figure{margin:0}
figcaption{font-size:.85rem;color:#5b6675}.sheet td{border:0;padding:1px 8px 1px 0;font-size:.8rem}
.confusion td,.confusion th{padding:1px 4px;font-size:.72rem;border:0;text-align:center}.confusion th{text-align:right}
img{display:block}
"""


def write_report(folder: Path, found: Findings, about: dict[str, Any]) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html``; ``about`` says what was measured: checkpoint, data, settings."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"about": about, "table": [row.to_dict() for row in found.rows], "details": found.details}
    json_path, html_path = folder / "report.json", folder / "report.html"
    json_path.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")
    html_path.write_text(render_report(found, about), encoding="utf-8")
    return json_path, html_path


def render_report(found: Findings, about: dict[str, Any]) -> str:
    """The HTML: table, plots, picture sheets (JPEG inside the page)."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{html.escape(str(about.get('checkpoint', 'Evaluation')))}: evaluation</title><style>{_STYLE}</style>",
        f"<h1>Evaluation of {html.escape(str(about.get('checkpoint', '')))}</h1>",
        f"<p class=note>{html.escape('; '.join(f'{k}: {v}' for k, v in about.items()))}</p>",
        _table(found.rows),
        "<h2>Plots</h2><div class=plots>",
        *_plots(found.details),
        "</div>",
        *(_sheet(sheet) for sheet in found.sheets if sheet.rows),
    ]
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    lines = ["<table><tr><th>What<th>Value<th>95%<th>Bar<th><th>n<th>How</tr>"]
    for row in rows:
        mark = {True: "<span class=ok>reached</span>", False: "<span class=missed>missed</span>", None: ""}[row.reached]
        interval = f"{100 * row.interval[0]:.0f}–{100 * row.interval[1]:.0f}%" if row.interval else ""
        lines.append(
            f"<tr><td>{html.escape(row.name)}<td class=n>{row.text()}<td class=note>{interval}<td>{row.bar_text()}"
            f"<td>{mark}<td class=n>{'' if row.count is None else row.count}<td class=note>{html.escape(row.note)}</tr>"
        )
    return "\n".join([*lines, "</table>"])


def _plots(details: dict[str, Any]) -> list[str]:
    figures = []
    if kid := details.get("kid"):
        values = {name: (1000 * v["mean"], 1000 * v["std"]) for name, v in kid.items()}
        figures.append(bars(values, f"KID × 1000 to held-out renders (lower is nearer); {details.get('features', '')}"))
    if kid := details.get("kid_real"):
        values = {name: (1000 * v["mean"], 1000 * v["std"]) for name, v in kid.items()}
        figures.append(bars(values, f"KID × 1000 to unseen real defects (lower is nearer); {details['features']}"))
    if figures_of := details.get("downstream"):
        values = {}
        for name, runs in figures_of.items():
            own = [100 * run["pixel_ap"] for run in runs]
            values[name] = (float(np.mean(own)), float(np.std(own)))
        figures.append(bars(values, "Pixel AP on unseen real defects, %, by what the segmenter was trained on"))
    classes = details.get("classes", [])
    if "confusion_painted" in details:
        counts = np.array(details["confusion_painted"])
        shares = {
            c: (100 * counts[k, k] / max(counts[k].sum(), 1), 0.0) for k, c in enumerate(classes) if counts[k].sum()
        }
        figures.append(bars(shares, "Recognised of each instructed type, %"))
    if changes := details.get("severity_changes"):
        figures.append(rising_lines(changes, ["slight", "moderate", "severe"], "Change in the mask, grey levels"))
    for key, title in _CONFUSIONS.items():
        if key in details:
            figures.append(confusion_table(np.array(details[key]), classes, title))
    return figures


def _sheet(sheet: Sheet) -> str:
    lines = [f"<h2>{html.escape(sheet.title)}</h2><p class=note>{html.escape(' | '.join(sheet.columns))}</p>"]
    lines.append("<table class=sheet>")
    for label, tiles in sheet.rows:
        strip = np.concatenate([cv2.resize(t, (_TILE, _TILE), interpolation=cv2.INTER_AREA) for t in tiles], axis=1)
        lines.append(f"<tr><td>{_image(strip, label)}<td>{html.escape(label)}</tr>")
    return "\n".join([*lines, "</table>"])


def _image(pixels: np.ndarray, alt: str) -> str:
    data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img alt="{html.escape(alt)}" width={pixels.shape[1]} src="data:image/jpeg;base64,{encoded}">'
