"""Painting a whole dataset's normal parts: every category × defect × normal picture, resumable."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .checks import require_choice, require_number, require_seed
from .data.export import Numbering, result_files
from .data.journal import Journal, replace_file
from .data.layout import GOOD, LAYOUTS, defect_folder
from .data.readers import Sample, read_ds_mvtec, read_mvtec_ad
from .data.tables import write_captions, write_manifest
from .errors import InputError
from .images import load_image, load_mask
from .instruction import DefectSpec, parse_instruction
from .localize.bands import LEAVES_OBJECT
from .localize.foreground import segment_foreground
from .localize.matches import place_by_matches, read_matches
from .studio import DefectStudio

DATASET_TYPES = {
    **{name: "ds-mvtec" for name in ("ds-mvtec", "ds_mvtec", "ds", "defect_spectrum")},
    **{name: "mvtec-ad" for name in ("mvtec-ad", "mvtec_ad", "mvtec")},
}
"""Names of the layouts, as MAGIC's flag and ours spell them."""
JOURNAL = "journal.jsonl"
"""One line for each finished picture; the tables are made from it."""


@dataclass(frozen=True)
class Job:
    """One picture to paint: a normal part, the sentence, and where its result lies in the new dataset.

    ``defect`` is the source's folder or the name asked for; ``folder`` and ``number`` name the result
    ("scratch_head", 12); ``key`` is equal for equal work.
    """

    category: str
    image: Path
    instruction: str
    specs: tuple[DefectSpec, ...]
    folder: str
    number: int
    defect: str = ""

    @property
    def key(self) -> str:
        """What the journal calls it."""
        return f"{self.category}/{self.folder}/{self.number:03d}"

    def seed(self, seed: int) -> int:
        """Its own seed, whatever else is painted before it."""
        digest = hashlib.sha256(f"{seed}/{self.category}/{self.instruction}/{self.image.stem}".encode()).digest()
        return int.from_bytes(digest[:4], "big")


def read_defects(path: Path) -> dict[str, dict[str, str | None]]:
    """Read a ``defect_json``: which defects to make of each category, and the sentence for each where one is given.

    Accepted: ``{category: [defect, ...]}``, ``{category: {defect: sentence}}`` and ``{category: {defect: {"prompt":
    sentence}}}``; a number in place of the sentence (the published ``class_val``) is passed over, because the defect
    itself says whether it may leave the object.

    Raises:
        InputError: not JSON, or of another form.
    """
    table = _read_json("defect_json", path)
    if not isinstance(table, dict) or not table:
        raise InputError("defect_json", f"{path.name} must hold an object of categories, each with its defects.")
    read: dict[str, dict[str, str | None]] = {}
    for category, defects in table.items():
        entries = dict.fromkeys(defects) if isinstance(defects, list) and _all_text(defects) else defects
        if not isinstance(entries, dict) or not entries:
            raise InputError("defect_json", f"{path.name}: give {category!r} a list of defects or an object of them.")
        read[category] = {}
        for defect, value in entries.items():
            if isinstance(value, dict):
                value = value.get("prompt")
            read[category][defect] = value if isinstance(value, str) else None
    return read


def plan_jobs(
    base_dir: Path,
    *,
    dataset_type: str = "ds-mvtec",
    categories: Iterable[str] | None = None,
    defects: Mapping[str, Mapping[str, str | None]] | None = None,
    prompt: str | None = None,
    limit: int | None = None,
) -> list[Job]:
    """Every category × defect × normal picture of a dataset, in a fixed order.

    Args:
        dataset_type: a name of ``DATASET_TYPES``.
        categories: those to paint; all by default.
        defects: what :func:`read_defects` returned; by default the folders of defects that the category has.
        prompt: a sentence for all, in which ``{defect}`` and ``{category}`` are replaced.
        limit: normal pictures used of each category.

    Raises:
        InputError: no such dataset, category or normal pictures, or a defect whose name is no defect's.
    """
    layout = DATASET_TYPES[require_choice("dataset_type", dataset_type, DATASET_TYPES)]
    if limit is not None:
        limit = int(require_number("limit", limit, 1, 1_000_000, integer=True))
    read = read_ds_mvtec if layout == "ds-mvtec" else read_mvtec_ad
    samples = read(base_dir, list(categories) if categories is not None else None)
    numbering, jobs = Numbering(), []
    for category in dict.fromkeys(sample.category for sample in samples):
        own = [sample for sample in samples if sample.category == category]
        normals = [sample for sample in own if sample.defect == GOOD and sample.split in (None, "train")]
        if not normals:
            raise InputError("base_dir", f"{category} has no normal pictures; put some into its good folder.")
        for defect, sentence in _defects_of(category, own, defects).items():
            words, specs = _read_sentence(sentence or prompt, defect, category)
            folder = defect_folder([spec.to_dict() for spec in specs])
            for sample in normals[:limit]:
                number = numbering.next_in(f"{category}/{folder}")
                jobs.append(Job(category, sample.image_path, words, specs, folder, number, defect))
    return jobs


def run_jobs(
    jobs: Sequence[Job],
    studio_of: Callable[[str], DefectStudio],
    output: Path,
    *,
    layout: str = "ds-mvtec",
    strengths: tuple[float, float] = (0.3, 1.0),
    seed: int = 0,
    normal_masks: Path | None = None,
    masks: Callable[[Job, int], np.ndarray | None] | None = None,
    place: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    report: Callable[[int, int], None] | None = None,
) -> int:
    """Paint what is not painted yet and write the dataset's tables; returns how many pictures were painted now.

    Every result is written before its line in the journal, so an interrupted run goes on with nothing lost or doubled.

    Args:
        studio_of: the studio for a category.
        output: the new dataset's folder.
        strengths: each picture's strength is drawn uniformly from (low, high), 0–1, by its own seed.
        normal_masks: folder of foregrounds, ``<name>_mask.png``, or one folder of them for each category.
        masks: a job's own mask, given its seed ("library" masks moved by precomputed matches); None leaves it to words.
        place: further arguments of ``DefectStudio.plan``.
        settings: further arguments of ``DefectStudio.generate``.
        report: called with (finished, all) after every picture.

    Raises:
        InputError: strengths out of order, a missing foreground, a place that cannot be written to.
    """
    low = require_number("anomaly_strength_min", strengths[0], 0, 1)
    high = require_number("anomaly_strength_max", strengths[1], low, 1)
    require_seed(seed)
    chosen = LAYOUTS[layout]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("output", f"the folder cannot be made: {error.strerror}.") from error
    journal = Journal(output / JOURNAL)
    done = journal.entries
    painted = 0
    for job in jobs:
        if job.key not in done:
            own_seed = job.seed(seed)
            options = dict(place or {})
            if normal_masks is not None:
                options["foreground"] = _foreground(normal_masks, job)
            if masks is not None and (mask := masks(job, own_seed)) is not None:
                options["mask_source"] = mask
            studio = studio_of(job.category)
            plan = studio.plan(job.image, job.instruction, seed=own_seed, **options)
            strength = float(np.random.default_rng(own_seed).uniform(low, high))
            result = studio.generate(plan, anomaly_strength=strength, seed=own_seed, **dict(settings or {}))[0]
            written = result_files(result, job.number, category=job.category, layout=chosen)
            for name, data in written.files.items():
                replace_file(output / name, data)
            journal.add(job.key, {"manifest": written.manifest_row, "caption": list(written.caption_row)})
            painted += 1
        if report is not None:
            report(sum(j.key in done for j in jobs), len(jobs))
    rows = [done[key] for key in sorted(done)]
    replace_file(output / "captions.xlsx", write_captions([row["caption"] for row in rows]))
    replace_file(output / "manifest.csv", write_manifest([row["manifest"] for row in rows]))
    return painted


def matched_masks(
    path: Path, base_dir: Path, *, dataset_type: str = "ds-mvtec", normal_masks: Path | None = None
) -> Callable[[Job, int], np.ndarray | None]:
    """Masks of a dataset's own defects, moved to a job's normal picture by a ``matching_result.json``.

    The seed picks one of the defect's pictures that have a match on the job's picture; None where there is none.

    Raises:
        InputError: an unreadable file, or, when a mask is asked for, a match of a picture that the dataset lacks.
    """
    matches = read_matches(path)
    layout = DATASET_TYPES[require_choice("dataset_type", dataset_type, DATASET_TYPES)]
    samples = (read_ds_mvtec if layout == "ds-mvtec" else read_mvtec_ad)(base_dir, list(matches))
    known = {(s.category, s.defect, s.stem): s for s in samples if s.mask_path is not None}

    def mask_of(job: Job, seed: int) -> np.ndarray | None:
        fitting = [m for m in matches.get(job.category, {}).get(job.defect, []) if m.normal_img == job.image.name]
        if not fitting:
            return None
        name = str(np.random.default_rng(seed).choice(sorted({m.defect_img for m in fitting})))
        sample = known.get((job.category, job.defect, Path(name).stem))
        if sample is None:
            raise InputError("match_json", f"{job.category}/{job.defect}/{name} is not in the dataset; match it anew.")
        if normal_masks is not None:
            foreground = _foreground(normal_masks, job)
        else:
            foreground = segment_foreground(load_image(job.image), category=job.category).mask
        leaves = any(spec.defect in LEAVES_OBJECT for spec in job.specs)
        own = [m for m in fitting if m.defect_img == name]
        return place_by_matches(sample.load_mask(), own, foreground, may_leave=leaves)

    return mask_of


def checkpoint_of(root: Path, category: str) -> Path:
    """The checkpoint for a category: its own sub-folder of ``root``, or ``root`` itself.

    Raises:
        InputError: neither holds a ``model_index.json``.
    """
    for folder in (root / category, root):
        if (folder / "model_index.json").is_file():
            return folder
    raise InputError("model_ckpt_root", f"neither it nor its folder {category} holds a model_index.json.")


def _defects_of(
    category: str, samples: Sequence[Sample], defects: Mapping[str, Mapping[str, str | None]] | None
) -> Mapping[str, str | None]:
    if defects is not None:
        if category not in defects:
            raise InputError("defect_json", f"it names no defects for {category}; add them or leave the category out.")
        return defects[category]
    found = dict.fromkeys(sample.defect for sample in samples if sample.defect != GOOD)
    if not found:
        raise InputError("defect_json", f"{category} has no folders of defects; name the defects to make.")
    return found


def _read_sentence(template: str | None, defect: str, category: str) -> tuple[str, tuple[DefectSpec, ...]]:
    """The instruction for a defect's folder and what it means: "scratch_head" → "scratch head on the screw".

    A folder that only names a place ("thread_side") is damage there.
    """
    words = {"defect": defect.replace("_", " "), "category": category.replace("_", " ")}
    templates = [template] if template else ["{defect} on the {category}", "damage on the {defect} of the {category}"]
    for each in templates:
        sentence = re.sub(r"\{(defect|category)\}", lambda match: words[match.group(1)], each)
        with contextlib.suppress(InputError):
            return sentence, tuple(parse_instruction(sentence))
    raise InputError(
        "defect_json", f"{category}/{defect}: {sentence!r} names no defect that is known; give a sentence for it."
    )


def _foreground(folder: Path, job: Job) -> np.ndarray:
    size = load_image(job.image).shape[:2]
    names = (folder / job.category / f"{job.image.stem}_mask.png", folder / f"{job.image.stem}_mask.png")
    path = next((name for name in names if name.is_file()), None)
    if path is None:
        raise InputError("normal_masks", f"there is no {job.image.stem}_mask.png for {job.category}; add it.")
    return load_mask(path, size, field="normal_masks")


def _read_json(field: str, path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(field, f"{path.name} cannot be read as JSON.") from error


def _all_text(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
