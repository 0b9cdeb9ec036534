"""Is the defect asked for the one that is seen? The classifier's judgement of renders and of painted pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .baselines import cut_paste
from .classifier import DefectClassifier, classify, confusion_matrix
from .findings import Findings, Sheet
from .painting import Painted
from .scenes import DefectSample, crop_around
from .table import Row, share_row

TILE = 112


def recognise(
    classifier: DefectClassifier, samples: Sequence[DefectSample], pictures: Sequence[np.ndarray]
) -> tuple[int, np.ndarray, list[str]]:
    """Hits, confusion matrix [K, K] and recognised names of ``pictures`` uint8 [H, W, 3] painted on ``samples``."""
    probabilities = classify(classifier, [s.normal for s in samples], pictures, [s.mask for s in samples])
    counts = confusion_matrix([s.defect for s in samples], probabilities, classifier.classes)
    return int(np.trace(counts)), counts, [classifier.classes[k] for k in probabilities.argmax(1)]


def check_classifier(classifier: DefectClassifier, truths: Sequence[DefectSample]) -> Findings:
    """The classifier on held-out renders: what its judgement is worth."""
    hits, counts, _ = recognise(classifier, truths, [s.defective for s in truths])
    found = Findings(
        rows=[share_row("Classifier on held-out renders", hits, len(truths), 0.97, _weakest(classifier, counts))]
    )
    found.details["classes"] = classifier.classes
    found.details["confusion_renders"] = counts.tolist()
    by_severity = {}
    for severity in ("slight", "moderate", "severe"):
        some = [s for s in truths if s.spec.severity == severity]
        if some:
            by_severity[severity] = round(recognise(classifier, some, [s.defective for s in some])[0] / len(some), 4)
    found.details["classifier_by_severity"] = by_severity
    return found


def check_painted(
    classifier: DefectClassifier,
    painted: Sequence[Painted],
    asked: Mapping[str, Sequence[Painted]],
    worded: Mapping[str, Sequence[Painted]],
    seed: int,
) -> Findings:
    """Painted pictures of the same samples: ``painted`` as visitors get them, ``asked`` by the language of the
    instruction, ``worded``, of the first of them, by the language of the prompt, where the checkpoint is fed that one
    alone.

    Two controls: CutPaste in the same masks shows how much a mask's form alone gives away, and the renders of the same
    samples how much could be recognised at best.
    """
    samples = [p.sample for p in painted]
    close = [p.sample for p in next(iter(worded.values()))]
    generator = np.random.default_rng([seed, 41])
    pasted = [cut_paste(s.normal, s.mask, generator) for s in samples]
    hits, counts, names = recognise(classifier, samples, [p.images[0] for p in painted])
    kinds, note = int((counts.sum(1) > 0).sum()), _weakest(classifier, counts)
    count = len(samples)
    found = Findings(rows=[share_row(f"Instructed type recognised, {kinds} types", hits, count, 0.85, note)])
    found.add(_by_language(classifier, samples, asked, "asked in {}"))
    found.add(_by_language(classifier, close, worded, "prompted in {} alone"))
    everything = [p for each in (*asked.values(), *worded.values()) for p in each]
    understood, total = sum(p.understood for p in everything), len(everything)
    found.rows.append(share_row("… instruction read back rightly by the parser", understood, total))
    best, _, _ = recognise(classifier, samples, [s.defective for s in samples])
    found.rows.append(share_row("… the renders of the same samples", best, count, note="what could be reached"))
    form, table, _ = recognise(classifier, samples, pasted)
    found.rows.append(share_row("… CutPaste in the same masks", form, count, note="what the mask's form gives away"))
    found.details |= {
        "confusion_painted": counts.tolist(),
        "confusion_cutpaste": table.tolist(),
        "painted": [[s.category, s.defect, s.spec.severity, name] for s, name in zip(samples, names, strict=True)],
    }
    found.sheets = [_overview(painted[: len(close)], worded, pasted, names), _mistakes(painted, names)]
    return found


def _by_language(
    classifier: DefectClassifier, samples: Sequence[DefectSample], pictures: Mapping[str, Sequence[Painted]], name: str
) -> Findings:
    """The share recognised in each language, and how far the best and the worst lie apart; ``name`` has a place for
    the language."""
    found, shares = Findings(), []
    for language, painted in pictures.items():
        hits, counts, _ = recognise(classifier, samples, [p.images[0] for p in painted])
        shares.append(hits / max(len(samples), 1))
        found.rows.append(
            share_row("… " + name.format(language), hits, len(samples), note=_weakest(classifier, counts))
        )
        found.details["confusion, " + name.format(language)] = counts.tolist()
    gap = 100 * (max(shares) - min(shares))
    found.rows.append(Row("… gap, " + name.format(" or ".join(pictures)), gap, 3, False, "points", len(samples)))
    return found


def check_unseen(classifier: DefectClassifier, painted: Sequence[Painted]) -> Findings:
    """Painted pictures of categories that were never trained on."""
    samples = [p.sample for p in painted]
    hits, counts, names = recognise(classifier, samples, [p.images[0] for p in painted])
    best, _, _ = recognise(classifier, samples, [s.defective for s in samples])
    categories = ", ".join(sorted({s.category for s in samples}))
    rows = [
        share_row(
            f"Categories never trained on ({categories})", hits, len(samples), 0.70, _weakest(classifier, counts)
        ),
        share_row("… the renders of the same samples", best, len(samples), note="what could be reached"),
    ]
    tiles = [
        (f"{s.category}: {s.defect} → {name}", [_tile(i, s) for i in (s.normal, s.defective, p.images[0])])
        for p, s, name in zip(painted, samples, names, strict=True)
    ]
    sheet = Sheet("Categories never trained on", ["normal", "render", "painted"], tiles[:16])
    return Findings(rows, {"confusion_unseen": counts.tolist()}, [sheet])


def _weakest(classifier: DefectClassifier, counts: np.ndarray, limit: int = 3) -> str:
    """The most frequent confusions, in words."""
    off = counts * (1 - np.eye(len(counts), dtype=int))
    order = np.argsort(off, axis=None)[::-1][:limit]
    pairs = [np.unravel_index(k, off.shape) for k in order if off.flat[k] > 0]
    return ", ".join(f"{classifier.classes[r]} read as {classifier.classes[c]} {off[r, c]}×" for r, c in pairs)


def _tile(image: np.ndarray, sample: DefectSample) -> np.ndarray:
    return crop_around(image, sample.mask, TILE, context=1.8)


def _overview(
    painted: Sequence[Painted], worded: Mapping[str, Sequence[Painted]], pasted: Sequence[np.ndarray], names: list[str]
) -> Sheet:
    """Two samples of every type."""
    rows, taken = [], {}
    for i, p in enumerate(painted):
        s = p.sample
        if taken.setdefault(s.defect, 0) < 2:
            taken[s.defect] += 1
            others = [pictures[i].images[0] for pictures in worded.values()]
            tiles = [_tile(x, s) for x in (s.normal, s.defective, p.images[0], *others, pasted[i])]
            rows.append((f"{s.category}: {s.spec.severity} {s.defect} → {names[i]}", tiles))
    rows.sort(key=lambda row: row[0].split(" → ")[0].split()[-1])
    return Sheet("Every type", ["normal", "render", "painted", *worded, "CutPaste"], rows)


def _mistakes(painted: Sequence[Painted], names: list[str]) -> Sheet:
    rows = [
        (f"{p.sample.spec.severity} {p.sample.defect} → {name}",
         [_tile(i, p.sample) for i in (p.sample.normal, p.sample.defective, p.images[0])])
        for p, name in zip(painted, names, strict=True)
        if name != p.sample.defect
    ]  # fmt: skip
    return Sheet("Not recognised", ["normal", "render", "painted"], rows[:16])
