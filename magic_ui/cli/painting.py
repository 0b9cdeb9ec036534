"""Commands that find the place and paint: mask, generate, sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from .files import read_record, write_png, write_results
from .options import (
    Align,
    AnomalyNoise,
    BandWidth,
    Candidates,
    Checkpoint,
    Foreground,
    Guidance,
    ImageArgument,
    InstructionArgument,
    Library,
    MaskShape,
    MaskSource,
    NoiseScale,
    Output,
    RandomMask,
    Scale,
    Seed,
    Steps,
    StopStep,
    print_json,
    words,
)


def mask(
    image: ImageArgument,
    instruction: InstructionArgument,
    output: Output = Path("out"),
    mask_source: MaskSource = "auto",
    mask_shape: MaskShape = "defect",
    mask_library: Library = None,
    align: Align = True,
    band_width: BandWidth = 0.25,
    pixels_per_mm: Scale = None,
    foreground: Foreground = None,
    seed: Seed = 0,
) -> None:
    """Write the mask, region and foreground of a sentence on a picture; loads no checkpoint."""
    from ..planning import draw_plan

    plan = draw_plan(
        image,
        instruction,
        **_place(image, mask_source, mask_shape, mask_library, align, band_width, pixels_per_mm, foreground, seed),
    )
    for name, pixels in (("mask", plan.mask), ("region", plan.region), ("foreground", plan.foreground)):
        write_png(output / f"{image.stem}_{name}.png", pixels)
    print_json(
        {
            "specs": [spec.to_dict() for spec in plan.specs],
            "notes": plan.notes,
            "mask_pixels": int(plan.mask.sum()),
            "foreground_pixels": int(plan.foreground.sum()),
        }
    )


def generate(
    image: Annotated[Path | None, typer.Argument(help="Picture of a normal part.", show_default=False)] = None,
    instruction: Annotated[str | None, typer.Argument(help="What to draw and where.", show_default=False)] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="Words for the painter, instead of those made from the sentence.")
    ] = None,
    auto_mask_text: Annotated[
        str | None, typer.Option("--auto_mask_text", help="Sentence that decides the place.")
    ] = None,
    from_record: Annotated[
        Path | None, typer.Option("--from-record", help="Paint again what this record describes.")
    ] = None,
    output: Output = Path("out"),
    checkpoint: Checkpoint = "magic-tiny",
    model_ckpt_root: Annotated[
        Path | None, typer.Option("--model_ckpt_root", help="Folder of a checkpoint; wins over --checkpoint.")
    ] = None,
    strength: Annotated[float, typer.Option("--strength", "--anomaly-strength", help="0–1.")] = 0.6,
    anomaly_strength_min: Annotated[
        float | None, typer.Option("--anomaly_strength_min", help="Draw each picture's strength from here …")
    ] = None,
    anomaly_strength_max: Annotated[float | None, typer.Option("--anomaly_strength_max", help="… to here.")] = None,
    num_images: Annotated[int, typer.Option("--num-images", "-n")] = 1,
    mask_source: MaskSource = "auto",
    mask_shape: MaskShape = "defect",
    mask_library: Library = None,
    align: Align = True,
    band_width: BandWidth = 0.25,
    pixels_per_mm: Scale = None,
    foreground: Foreground = None,
    seed: Seed = 0,
    text_noise_scale: NoiseScale = 0.3,
    anomaly_noise: AnomalyNoise = None,
    anomaly_stop_step: StopStep = None,
    use_random_mask: RandomMask = True,
    steps: Steps = None,
    guidance_scale: Guidance = None,
    candidates: Candidates = 1,
    base_dir: Annotated[
        Path | None, typer.Option("--base_dir", help="Dataset whose normal pictures are painted, instead of IMAGE.")
    ] = None,
    categories: Annotated[
        str | None, typer.Option("--categories", help="Of the dataset, with commas; default: all.")
    ] = None,
    dataset_type: Annotated[str, typer.Option("--dataset_type", help="ds-mvtec or mvtec-ad.")] = "ds-mvtec",
    defect_json: Annotated[
        Path | None, typer.Option("--defect_json", help="{category: [defect, ...]} or {category: {defect: sentence}}.")
    ] = None,
    match_json: Annotated[Path | None, typer.Option("--match_json", help="Precomputed matches for CAMA.")] = None,
    output_name: Annotated[
        str | None, typer.Option("--output_name", help="Name of the new dataset's folder in OUTPUT.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Normal pictures of each category.")] = None,
) -> None:
    """Paint a defect; writes image, mask, refined mask and record of each result.

    With --base_dir every category × defect × normal picture of a dataset is painted into a new one; an interrupted
    run goes on where it was.
    """
    settings = {
        "text_noise_scale": text_noise_scale,
        "anomaly_noise": anomaly_noise,
        "anomaly_stop_step": anomaly_stop_step,
        "use_random_mask": use_random_mask,
        "num_inference_steps": steps,
        "guidance_scale": guidance_scale,
        "candidates": candidates,
    }
    if match_json is not None and base_dir is None:
        raise InputError("match_json", "precomputed matches belong to a dataset; name it with --base_dir.")
    if base_dir is not None:
        low, high = anomaly_strength_min, anomaly_strength_max
        fixed = low is None and high is None
        _paint_dataset(
            base_dir,
            output / output_name if output_name else output,
            checkpoint,
            model_ckpt_root,
            {
                "dataset_type": dataset_type,
                "categories": words(categories),
                "prompt": auto_mask_text or prompt,
                "limit": limit,
            },
            defect_json,
            {
                "strengths": (strength, strength) if fixed else (low or 0.0, 1.0 if high is None else high),
                "seed": seed,
                "normal_masks": foreground,
                "match_json": match_json,
                "place": {
                    "mask_source": mask_source,
                    "mask_shape": mask_shape if mask_library is None else "library",
                    "reference": mask_library,
                    "align": align,
                    "band_width": band_width,
                    "pixels_per_mm": pixels_per_mm,
                },
                "settings": settings,
            },
        )
        return
    from ..studio import DefectStudio

    if image is None:
        raise InputError("image", "give the picture of a normal part.")
    studio = DefectStudio.from_pretrained(model_ckpt_root or checkpoint)
    if from_record is not None:
        write_results(output, image, [studio.reproduce(read_record(from_record), image)])
        return
    sentence = auto_mask_text or instruction or prompt
    if not sentence:
        raise InputError("instruction", "say in a sentence what to draw and where.")
    plan = studio.plan(
        image,
        sentence,
        **_place(image, mask_source, mask_shape, mask_library, align, band_width, pixels_per_mm, foreground, seed),
    )
    if prompt:
        for target in plan.targets:
            target.prompt = prompt
    if anomaly_strength_min is None and anomaly_strength_max is None:
        results = studio.generate(plan, anomaly_strength=strength, num_images=num_images, seed=seed, **settings)
    else:
        drawn = _draw_strengths(anomaly_strength_min, anomaly_strength_max, num_images, seed)
        results = [
            studio.generate(plan, anomaly_strength=value, seed=seed + i, **settings)[0] for i, value in enumerate(drawn)
        ]
    write_results(output, image, results)


def sweep(
    image: ImageArgument,
    instruction: InstructionArgument,
    output: Output = Path("out"),
    checkpoint: Checkpoint = "magic-tiny",
    strengths: Annotated[str, typer.Option("--strengths", help="Comma-separated, each 0–1.")] = "0.1,0.4,0.7,1.0",
    mask_source: MaskSource = "auto",
    mask_shape: MaskShape = "defect",
    mask_library: Library = None,
    align: Align = True,
    band_width: BandWidth = 0.25,
    pixels_per_mm: Scale = None,
    foreground: Foreground = None,
    seed: Seed = 0,
    text_noise_scale: NoiseScale = 0.3,
    steps: Steps = None,
    guidance_scale: Guidance = None,
) -> None:
    """Paint the same seed at several strengths and write them, and a row of all."""
    import numpy as np

    from ..images import encode_png
    from ..studio import DefectStudio

    try:
        values = [float(part) for part in strengths.split(",")]
    except ValueError:
        raise InputError(
            "strengths", "give numbers from 0 to 1 with commas between them, such as 0.1,0.4,0.7,1.0."
        ) from None
    studio = DefectStudio.from_pretrained(checkpoint)
    plan = studio.plan(
        image,
        instruction,
        **_place(image, mask_source, mask_shape, mask_library, align, band_width, pixels_per_mm, foreground, seed),
    )
    results = studio.sweep(
        plan,
        values,
        seed=seed,
        text_noise_scale=text_noise_scale,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
    )
    write_results(output, image, results)
    row = np.concatenate([plan.image, *(np.asarray(result.image) for result in results)], axis=1)
    (output / f"{image.stem}_row.png").write_bytes(encode_png(row))


def _paint_dataset(
    base_dir: Path,
    output: Path,
    checkpoint: str,
    model_ckpt_root: Path | None,
    wanted: dict[str, Any],
    defect_json: Path | None,
    options: dict[str, Any],
) -> None:
    """Plan and run a dataset's jobs with a progress bar; one checkpoint is loaded at a time."""
    from tqdm import tqdm

    from ..batch import DATASET_TYPES, checkpoint_of, matched_masks, plan_jobs, read_defects, run_jobs
    from ..studio import DefectStudio

    defects = read_defects(defect_json) if defect_json is not None else None
    if defects is not None and wanted["categories"] is None:
        wanted["categories"] = list(defects)
    jobs = plan_jobs(base_dir, defects=defects, **wanted)
    if (matches := options.pop("match_json")) is not None:
        options["masks"] = matched_masks(
            matches, base_dir, dataset_type=wanted["dataset_type"], normal_masks=options["normal_masks"]
        )
    loaded: dict[str, DefectStudio] = {}

    def studio_of(category: str) -> DefectStudio:
        name = str(checkpoint_of(model_ckpt_root, category)) if model_ckpt_root is not None else checkpoint
        if name not in loaded:
            loaded.clear()
            loaded[name] = DefectStudio.from_pretrained(name)
        return loaded[name]

    with tqdm(total=len(jobs), unit="picture") as bar:

        def report(finished: int, _all: int) -> None:
            bar.update(finished - bar.n)

        layout = DATASET_TYPES[wanted["dataset_type"]]
        painted = run_jobs(jobs, studio_of, output, layout=layout, report=report, **options)
    typer.echo(f"{output}  {painted} painted now, {len(jobs)} in all")


def _place(
    image: Path,
    mask_source: str,
    mask_shape: str,
    mask_library: Path | None,
    align: bool,
    band_width: float,
    pixels_per_mm: float | None,
    foreground: Path | None,
    seed: int,
) -> dict[str, Any]:
    """Keyword arguments of ``plan``: a mask source that is a file is read as the user's own mask."""
    from ..images import load_image, load_mask

    size = load_image(image).shape[:2]
    if foreground is not None and foreground.is_dir():
        foreground = foreground / f"{image.stem}_mask.png"
    return {
        "mask_source": mask_source
        if mask_source in ("auto", "band", "clipseg")
        else load_mask(Path(mask_source), size, field="mask_source"),
        "mask_shape": mask_shape if mask_library is None else "library",
        "reference": mask_library,
        "align": align,
        "band_width": band_width,
        "pixels_per_mm": pixels_per_mm,
        "seed": seed,
        "foreground": _read_foreground(foreground, size),
    }


def _read_foreground(given: Path | None, size: tuple[int, ...]) -> Any:
    """A mask's file as bool [H, W]; a way to find the object as its name."""
    from ..images import load_mask
    from ..localize.foreground import METHODS

    if given is None or (str(given) in METHODS and not given.exists()):
        return None if given is None else str(given)
    return load_mask(given, (size[0], size[1]), field="foreground")


def _draw_strengths(low: float | None, high: float | None, count: int, seed: int) -> list[float]:
    import numpy as np

    from ..checks import require_number, require_seed

    bottom = require_number("anomaly_strength_min", 0.0 if low is None else low, 0, 1)
    top = require_number("anomaly_strength_max", 1.0 if high is None else high, bottom, 1)
    number = require_number("num_images", count, 1, 1000, integer=True)
    return np.random.default_rng(require_seed(seed)).uniform(bottom, top, number).tolist()
