"""One fine-tuning run: pictures in, a checkpoint folder out, with its curve, its sample grids and its model card."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checks import require_choice
from ..data.layout import GOOD
from ..data.readers import Sample, read_ds_mvtec, read_mvtec_ad
from ..data.splits import TRAIN_SHARE, split_by_name
from ..errors import InputError
from ..images import encode_png
from ..instruction.prompt import build_prompt
from ..paint.checkpoint import CARD, Checkpoint, load_checkpoint
from ..paint.crop import crop_box, extract, resize_image
from ..paint.options import check_options
from ..paint.painter import Canvas, Crop, paint
from ..registry import resolve, write_checksums
from .build import SHARD_SIZE
from .finetune import FineTuning, TrainedUNet, fine_tune
from .pseudo_normal import METHODS
from .real import RealDefect, load_defects

READERS = {"ds-mvtec": read_ds_mvtec, "mvtec-ad": read_mvtec_ad}
GRID = 6
"""Defects in a sample grid."""


@dataclass(frozen=True)
class TrainingData:
    """Which pictures train: a folder in a known layout, the categories of it, and the share of every defect.

    ``captions``: the captions workbook, where it is not the data set's own ``captions.xlsx``.
    """

    base_dir: Path
    dataset_type: str = "ds-mvtec"
    categories: tuple[str, ...] | None = None
    captions: Path | None = None
    train_share: float = TRAIN_SHARE
    pseudo_normals: str = "patches"
    licence: str = "not stated; that of the training pictures applies"

    def read(self) -> tuple[list[Sample], list[Sample]]:
        """The defect samples that train, and those left for testing."""
        require_choice("dataset_type", self.dataset_type, READERS)
        require_choice("pseudo_normals", self.pseudo_normals, (*METHODS, "none"))
        samples = READERS[self.dataset_type](self.base_dir, self.categories, captions=self.captions)
        return split_by_name([sample for sample in samples if sample.defect != GOOD], self.train_share)


def fine_tune_dataset(
    checkpoint: str, data: TrainingData, settings: FineTuning, output: Path, *, device: str = "auto"
) -> Path:
    """Fine-tune a checkpoint on a data set; an interrupted run goes on where its last state was saved.

    Args:
        checkpoint: registry name or folder of the checkpoint to start from.
        data: the pictures.
        settings: the recipe.
        output: gets ``state/`` (to resume from), ``loss.csv``, ``loss.png``, ``samples/`` and ``checkpoint/``.

    Returns:
        The new checkpoint's folder.

    Raises:
        InputError: whatever is wrong with the data set or a setting, naming the file and the fix.
        CheckpointError: the checkpoint to start from cannot be loaded.
    """
    from tqdm import tqdm

    settings = settings.checked()
    training, rest = data.read()
    started = time.monotonic()
    loaded = load_checkpoint(checkpoint, device=device)
    method = data.pseudo_normals if loaded.info.conditioning == "normal" and data.pseudo_normals != "none" else None
    with tqdm(total=len(training), desc="reading", unit="picture") as bar:

        def read(done: int, _: int) -> None:
            bar.update(done - bar.n)

        defects = load_defects(
            training,
            loaded.info.resolution,
            pseudo_normals=method,
            checkpoint=loaded,
            cache=output / "state",
            report=read,
        )
    try:
        (output / "samples").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("output", f"the folder cannot be made: {error.strerror}.") from error
    _describe_samples(training, rest, output / "split.json")
    with tqdm(total=settings.steps, desc="training", unit="step") as bar:

        def report(done: int, loss: float) -> None:
            bar.update(done - bar.n)
            bar.set_postfix(loss=f"{loss:.4f}")

        def sample(step: int) -> None:
            write_grid(loaded, defects, output / "samples" / f"step_{step:06d}.png", settings.seed)

        trained = fine_tune(
            loaded, defects, settings, output / "state" / "fine_tuning.pt", report=report, sample=sample
        )
    write_losses(trained.losses, output)
    write_grid(loaded, defects, output / "samples" / "last.png", settings.seed)
    figures = {
        "start": {"name": loaded.info.name, "sha256": loaded.info.sha256},
        "pictures": len(training),
        "pieces": len(defects),
        "defects": dict(sorted(Counter(f"{s.category}/{s.defect}" for s in training).items())),
        "pictures_held_out": len(rest),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "loss_first_tenth": round(float(np.mean(trained.losses[: max(1, len(trained.losses) // 10)])), 4),
        "loss_last_tenth": round(float(np.mean(trained.losses[-max(1, len(trained.losses) // 10) :])), 4),
        "settings": asdict(settings),
        "train_share": data.train_share,
        "pseudo_normals": method or "none",
    }
    return save_fine_tuned(checkpoint, trained, output / "checkpoint", figures, data.licence)


def _describe_samples(training: Sequence[Sample], rest: Sequence[Sample], path: Path) -> None:
    """Which pictures trained, so that an evaluation can keep away from them."""
    names = {"train": [s.name for s in training], "held_out": [s.name for s in rest]}
    path.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")


def write_grid(checkpoint: Checkpoint, defects: Sequence[RealDefect], path: Path, seed: int) -> None:
    """A picture of some training defects: the normal picture or its stand-in, two painted seeds, the real defect."""
    chosen: dict[str, list[RealDefect]] = {}
    for defect in defects:
        chosen.setdefault(f"{defect.category}/{defect.defect}", []).append(defect)
    picked = [own[0] for own in list(chosen.values())[:GRID]]
    info, rows = checkpoint.info, []
    options = check_options({}, info.num_inference_steps, info.guidance_scale, info.guidance_rescale)
    for defect in picked:
        prompt = build_prompt(replace(defect.spec, region=None), language=info.prompt_language)
        crop = Crop(defect.mask, crop_box(defect.mask, info.resolution), prompt)
        pictures: list[np.ndarray] = []
        for step in paint(checkpoint, defect.normal, [crop], [Canvas(1.0, seed), Canvas(1.0, seed + 1)], options):
            pictures = step.pictures or pictures
        tiles = [extract(p, crop.box) for p in (defect.normal, *pictures, defect.picture)]
        rows.append(np.hstack([resize_image(tile, 160) for tile in tiles]))
    path.write_bytes(encode_png(np.vstack(rows)))


def write_losses(losses: Sequence[float], folder: Path) -> None:
    """``loss.csv``, every step's loss, and ``loss.png``, their running mean over steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with (folder / "loss.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "loss"))
        writer.writerows((n, f"{loss:.6f}") for n, loss in enumerate(losses, start=1))
    span = max(1, len(losses) // 50)
    smooth = np.convolve(losses, np.full(span, 1 / span), "valid")
    figure, axes = pyplot.subplots(figsize=(6, 3), layout="constrained")
    axes.plot(np.arange(span, len(losses) + 1), smooth)
    axes.set(xlabel="step", ylabel=f"loss, mean of {span} steps", ylim=(0, None))
    figure.savefig(folder / "loss.png", dpi=100)
    pyplot.close(figure)


def save_fine_tuned(source: str, trained: TrainedUNet, folder: Path, figures: dict[str, Any], licence: str) -> Path:
    """The source's folder with the new UNet (float16 shards), its card in ``magic_ui.json`` and ``README.md``."""
    _, start, _, _ = resolve(source)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(start, partial, ignore=shutil.ignore_patterns("unet", "README.md", "SHA256SUMS", ".cache", "*.bin"))
    trained.unet.to("cpu", torch.float16).save_pretrained(partial / "unet", max_shard_size=SHARD_SIZE)
    trained.unet.float()
    card = json.loads((start / CARD).read_text(encoding="utf-8")) if (start / CARD).is_file() else {}
    if figures["pseudo_normals"] == "none":  # it saw nothing but masked pictures
        card |= {"conditioning": "masked", "mask_channel": "binary"}
    card["fine_tuning"] = figures
    (partial / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (partial / "README.md").write_text(model_card(figures, licence), encoding="utf-8")
    write_checksums(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    return folder


def model_card(figures: dict[str, Any], licence: str) -> str:
    """``README.md`` of a fine-tuned checkpoint: where it comes from, data, recipe and figures."""
    settings = figures["settings"]
    what = f"LoRA of rank {settings['lora_rank']}, merged" if settings["lora_rank"] else "the whole UNet"
    classes = "\n".join(f"| {name} | {count} |" for name, count in figures["defects"].items())
    changed = [f"| {name} | {value} |" for name, value in settings.items()]
    recipe = "\n".join(changed)
    return f"""---
library_name: diffusers
pipeline_tag: image-to-image
tags: [inpainting, defect-synthesis, industrial-inspection]
---

# {figures["start"]["name"]}, fine-tuned on real defects

Starts from `{figures["start"]["name"]}`, SHA-256 `{figures["start"]["sha256"]}`.
Trained: {what}. Autoencoder, text encoder, tokenizer and schedule are the start's own.

**Data.** {figures["pictures"]} pictures, the first {figures["train_share"]:.0%} of every defect by file name;
{figures["pictures_held_out"]} others were kept away for testing (`split.json` beside this folder names them).
Stand-ins for their normal pictures: {figures["pseudo_normals"]}.

| Category and defect | Pictures |
|---|---|
{classes}

**Recipe.** `python -m magic_ui train` with

| Setting | Value |
|---|---|
{recipe}

**Figures.** {figures["minutes"]} minutes; mean loss {figures["loss_first_tenth"]} over the first tenth of the steps,
{figures["loss_last_tenth"]} over the last. `python -m magic_ui evaluate` measures what it paints.

**Limits.** It knows the defects it was shown, on parts like theirs; with few pictures it repeats them.

Licence: {licence}.
"""
