"""Bulk synthesis: a table of jobs → a labelled data set, resumable at any point."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks import require_choice, require_number
from ..data.journal import Journal, only_writer, replace_file
from ..data.layout import layout_named
from ..data.tables import write_captions, write_manifest
from ..errors import InputError
from ..images import encode_png, load_image
from ..paint.checkpoint import load_checkpoint
from .engines import ENGINES, Numbered, run_local, run_ray
from .jobs import Task
from .work import ATTRIBUTES, LEAST_AGREEMENT, Outcome, WorkSettings

JOURNAL, NUMBERS, RECIPE, SUMMARY = "journal.jsonl", "numbers.json", "recipe.json", "summary.json"


@dataclass(frozen=True)
class Summary:
    """What a run came to: pictures asked for, made now and before, rejected by reason, and finished ones that the table
    no longer asks for."""

    asked: int
    made: int
    made_now: int
    rejected: dict[str, int]
    no_longer_asked: int


def synthesize(
    tasks: Sequence[Task],
    output: Path,
    *,
    checkpoint: str = "magic-tiny",
    layout: str = "ds-mvtec",
    retries: int = 2,
    least_agreement: float = LEAST_AGREEMENT,
    engine: str = "local",
    workers: int = 1,
    threads: int | None = None,
    device: str = "auto",
    ray_address: str | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Summary:
    """Paint what is not painted yet and write the data set.

    The folder gets pictures, masks (class ids or 0/255, as the layout wants), refined masks and a record for each
    picture; the normal pictures, once each, as good ones of the training half (MVTec AD's ``train/good``: a detector's
    test needs normal pictures that it never saw, which nobody can make from these); ``captions.xlsx``,
    ``manifest.csv``, ``rejected.csv`` and ``summary.json``. A picture's files are written before its line in the
    journal, and its number is decided before any is painted, so a run that was killed goes on with nothing lost,
    doubled or torn, and ends with the same bytes. Finished pictures that a changed table no longer asks for are kept
    and counted.

    Args:
        tasks: from :func:`~magic_ui.synthesis.jobs.read_tasks`.
        output: the data set's folder; one run at a time writes to it.
        retries: further seeds for a picture that is rejected.
        least_agreement: how much better the words must explain a picture than no words do, −1…1.
        engine: ``local`` or ``ray``.
        workers: processes, or actors of the cluster.
        threads: torch's threads for each worker; default: all of them for one, a fair share for several.
        report: called with (finished, all) after every picture.

    Raises:
        InputError: a choice or number out of range, another checkpoint or layout than the folder's, a folder that is in
            use or cannot be written to.
    """
    require_choice("engine", engine, ENGINES)
    layout_named(layout)
    retries = int(require_number("retries", retries, 0, 20, integer=True))
    least_agreement = float(require_number("least_agreement", least_agreement, -1e6, 1))
    workers = int(require_number("workers", workers, 1, 1024, integer=True))
    if threads is not None:
        threads = int(require_number("threads", threads, 1, 1024, integer=True))
    digest = load_checkpoint(checkpoint, device=device).info.sha256
    with only_writer(output):
        recipe = {"checkpoint_sha256": digest, "layout": layout}
        _same_recipe(output / RECIPE, recipe)
        numbers = _numbered(tasks, output / NUMBERS)
        journal = Journal(output / JOURNAL)
        _write_normals(tasks, output, layout, numbers)
        todo: list[Numbered] = [(t, numbers[t.key]) for t in tasks if t.key not in journal.entries]
        settings = WorkSettings(checkpoint, str(output.resolve()), layout, retries, least_agreement, device, threads)
        before = len(tasks) - len(todo)
        made_now = 0
        if report is not None:
            report(before, len(tasks))
        try:
            if todo:
                with closing(_outcomes(engine, settings, todo, workers, ray_address)) as outcomes:
                    for done, outcome in enumerate(outcomes, start=before + 1):
                        journal.add(outcome.key, outcome.to_dict())
                        made_now += outcome.manifest is not None
                        if report is not None:
                            report(done, len(tasks))
        finally:
            summary = _write_tables(tasks, journal, output, recipe, settings.rule, made_now)
    return summary


def _outcomes(
    engine: str, settings: WorkSettings, todo: Sequence[Numbered], workers: int, address: str | None
) -> Generator[Outcome, None, None]:
    if engine == "ray":
        return run_ray(settings, todo, workers, address)
    return run_local(settings, todo, workers)


def _same_recipe(path: Path, recipe: dict[str, Any]) -> None:
    """A folder holds pictures of one checkpoint in one layout: what the first run noted."""
    if not path.is_file():
        replace_file(path, json.dumps(recipe).encode())
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    for name, value in recipe.items():
        if before.get(name) != value:
            what = name.partition("_")[0]
            raise InputError(what, "the output folder was made with another one; choose another folder.")


def _numbered(tasks: Sequence[Task], path: Path) -> dict[str, int]:
    """A number for every task within its category and folder: kept once given, whatever the table becomes."""
    kept: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for task in tasks:
        own = kept.setdefault(f"{task.category}/{task.folder}", {})
        own.setdefault(task.key, len(own))
    for task in tasks:  # every normal picture has a number too
        own = kept.setdefault(f"{task.category}/good", {})
        own.setdefault(task.image, len(own))
    replace_file(path, json.dumps(kept, indent=1, ensure_ascii=False).encode())
    flat = {task.key: kept[f"{task.category}/{task.folder}"][task.key] for task in tasks}
    return flat | {f"{t.category}/{t.image}": kept[f"{t.category}/good"][t.image] for t in tasks}


def _write_normals(tasks: Sequence[Task], output: Path, layout: str, numbers: dict[str, int]) -> None:
    template = layout_named(layout).normal
    for category, image in dict.fromkeys((task.category, task.image) for task in tasks):
        path = output / template.format(category=category, stem=f"{numbers[f'{category}/{image}']:03d}")
        if not path.is_file():
            replace_file(path, encode_png(load_image(image)))


def _write_tables(
    tasks: Sequence[Task], journal: Journal, output: Path, recipe: dict[str, Any], rule: str, made_now: int
) -> Summary:
    """The tables of everything finished so far, in the order of the pictures' paths."""
    made = [entry for entry in journal.entries.values() if entry["manifest"] is not None]
    made.sort(key=lambda entry: entry["manifest"]["image"])
    asked = {task.key: task for task in tasks}
    rejected = [
        {"row": task.row, "category": task.category, "defect": task.folder, "instruction": task.instruction,
         "attempts": len(entry["rejected"]), "reasons": "; ".join(entry["rejected"])}
        for key, task in asked.items()
        if (entry := journal.entries.get(key)) is not None and entry["manifest"] is None
    ]  # fmt: skip
    reasons = Counter(row["reasons"].rpartition("; ")[2].partition(":")[0] for row in rejected)
    own = [key for key in asked if (entry := journal.entries.get(key)) is not None and entry["manifest"] is not None]
    summary = Summary(
        len(tasks), len(own), made_now, dict(sorted(reasons.items())), len(set(journal.entries) - set(asked))
    )
    described = {
        "asked": summary.asked,
        "made": summary.made,
        "rejected": summary.rejected,
        "no_longer_asked": summary.no_longer_asked,
        "rejection_rule": rule,
        **recipe,
    }
    replace_file(output / "captions.xlsx", write_captions([entry["caption"] for entry in made], ATTRIBUTES))
    replace_file(output / "manifest.csv", write_manifest([entry["manifest"] for entry in made]))
    replace_file(output / "rejected.csv", write_manifest(rejected))
    replace_file(output / SUMMARY, json.dumps(described, indent=2, ensure_ascii=False).encode())
    return summary
