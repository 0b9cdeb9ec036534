"""Command line: ``python -m magic_ui {parse, mask, generate, sweep, render, train, app}``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import __version__
from .errors import InputError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Realistic defects on pictures of normal parts, from a sentence in Chinese or English.",
)

ImageArgument = Annotated[Path, typer.Argument(help="Picture of a normal part.", show_default=False)]
InstructionArgument = Annotated[
    str, typer.Argument(help="What to draw and where, in one sentence.", show_default=False)
]
Checkpoint = Annotated[
    str, typer.Option("--checkpoint", help="Registry name or StableDiffusionInpaintPipeline folder.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")]
MaskSource = Annotated[str, typer.Option("--mask-source", help="auto, band, or a mask file (white: repaint).")]
MaskShape = Annotated[str, typer.Option("--mask-shape", help="defect or region.")]
Align = Annotated[bool, typer.Option("--align/--no-align", "--CAMA/--no-CAMA", help="Keep the mask on the object.")]
BandWidth = Annotated[
    float, typer.Option("--band-width", help="Share of the object an image-frame word means, 0.1–0.5.")
]
Scale = Annotated[float | None, typer.Option("--pixels-per-mm", help="Scale, so that millimetres become pixels.")]
Foreground = Annotated[
    Path | None,
    typer.Option("--foreground", "--normal_masks", help="Mask of the object, or a folder of <name>_mask.png."),
]
Seed = Annotated[int, typer.Option("--seed")]
NoiseScale = Annotated[float, typer.Option("--text-noise-scale", "--text_noise_scale", help="GPP's sigma.")]
StopStep = Annotated[int | None, typer.Option("--anomaly-stop-step", "--anomaly_stop_step", help="Last step of MGNI.")]
AnomalyNoise = Annotated[float | None, typer.Option("--anomaly-noise", help="MGNI weight; default: the strength.")]
RandomMask = Annotated[bool, typer.Option("--use-random-mask/--no-random-mask", "--use_random_mask/--no_random_mask")]
Steps = Annotated[int | None, typer.Option("--steps", help="Denoising steps; default: the checkpoint's.")]
Guidance = Annotated[float | None, typer.Option("--guidance-scale", help="Guidance inside the mask, first step.")]
Candidates = Annotated[int, typer.Option("--candidates", help="Paint so many and keep the best.")]


@app.command()
def parse(instruction: InstructionArgument) -> None:
    """Print what a sentence is understood as, as JSON."""
    from .instruction import parse_instruction

    _print_json([spec.to_dict() for spec in parse_instruction(instruction)])


@app.command()
def mask(
    image: ImageArgument,
    instruction: InstructionArgument,
    output: Output = Path("out"),
    mask_source: MaskSource = "auto",
    mask_shape: MaskShape = "defect",
    align: Align = True,
    band_width: BandWidth = 0.25,
    pixels_per_mm: Scale = None,
    foreground: Foreground = None,
    seed: Seed = 0,
) -> None:
    """Write the mask, region and foreground of a sentence on a picture; loads no checkpoint."""
    from .studio import draw_plan

    plan = draw_plan(
        image, instruction, **_place(image, mask_source, mask_shape, align, band_width, pixels_per_mm, foreground, seed)
    )
    for name, pixels in (("mask", plan.mask), ("region", plan.region), ("foreground", plan.foreground)):
        _write_png(output / f"{image.stem}_{name}.png", pixels)
    _print_json(
        {
            "specs": [spec.to_dict() for spec in plan.specs],
            "notes": plan.notes,
            "mask_pixels": int(plan.mask.sum()),
            "foreground_pixels": int(plan.foreground.sum()),
        }
    )


@app.command()
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
) -> None:
    """Paint a defect; writes image, mask, refined mask and record of each result."""
    from .studio import DefectStudio

    if image is None:
        raise InputError("image", "give the picture of a normal part.")
    studio = DefectStudio.from_pretrained(model_ckpt_root or checkpoint)
    if from_record is not None:
        _write_results(output, image, [studio.reproduce(_read_json(from_record), image)])
        return
    sentence = auto_mask_text or instruction or prompt
    if not sentence:
        raise InputError("instruction", "say in a sentence what to draw and where.")
    plan = studio.plan(
        image, sentence, **_place(image, mask_source, mask_shape, align, band_width, pixels_per_mm, foreground, seed)
    )
    if prompt:
        for target in plan.targets:
            target.prompt = prompt
    settings = {
        "text_noise_scale": text_noise_scale,
        "anomaly_noise": anomaly_noise,
        "anomaly_stop_step": anomaly_stop_step,
        "use_random_mask": use_random_mask,
        "num_inference_steps": steps,
        "guidance_scale": guidance_scale,
        "candidates": candidates,
    }
    if anomaly_strength_min is None and anomaly_strength_max is None:
        results = studio.generate(plan, anomaly_strength=strength, num_images=num_images, seed=seed, **settings)
    else:
        drawn = _draw_strengths(anomaly_strength_min, anomaly_strength_max, num_images, seed)
        results = [
            studio.generate(plan, anomaly_strength=value, seed=seed + i, **settings)[0] for i, value in enumerate(drawn)
        ]
    _write_results(output, image, results)


@app.command()
def sweep(
    image: ImageArgument,
    instruction: InstructionArgument,
    output: Output = Path("out"),
    checkpoint: Checkpoint = "magic-tiny",
    strengths: Annotated[str, typer.Option("--strengths", help="Comma-separated, each 0–1.")] = "0.1,0.4,0.7,1.0",
    mask_source: MaskSource = "auto",
    mask_shape: MaskShape = "defect",
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

    from .images import encode_png
    from .studio import DefectStudio

    try:
        values = [float(part) for part in strengths.split(",")]
    except ValueError:
        raise InputError(
            "strengths", "give numbers from 0 to 1 with commas between them, such as 0.1,0.4,0.7,1.0."
        ) from None
    studio = DefectStudio.from_pretrained(checkpoint)
    plan = studio.plan(
        image, instruction, **_place(image, mask_source, mask_shape, align, band_width, pixels_per_mm, foreground, seed)
    )
    results = studio.sweep(
        plan,
        values,
        seed=seed,
        text_noise_scale=text_noise_scale,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
    )
    _write_results(output, image, results)
    row = np.concatenate([plan.image, *(np.asarray(result.image) for result in results)], axis=1)
    (output / f"{image.stem}_row.png").write_bytes(encode_png(row))


@app.command()
def render(
    output: Output = Path("renders"),
    count: Annotated[int, typer.Option("--count", help="Scenes; each gives three pairs.")] = 100,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option("--workers", help="Processes.")] = 2,
) -> None:
    """Render pairs of normal and defective parts (extra `render`); resumes where files are missing."""
    from .rendering.pairs import render_pairs

    render_pairs(output, count, seed, workers)


@app.command()
def train(
    data: Annotated[Path, typer.Option("--data", help="Folder of rendered pairs.")],
    recipe: Annotated[str, typer.Option("--recipe", help="Embedded recipe or TOML file.")] = "magic-tiny",
    output: Output = Path("runs/magic-tiny"),
    device: Annotated[str, typer.Option("--device")] = "auto",
    limit: Annotated[int | None, typer.Option("--limit", help="Use only so many scenes.")] = None,
) -> None:
    """Train an embedded checkpoint from scratch (extra `train`); resumes after an interruption."""
    from .training.build import train_from_scratch
    from .training.recipe import load_recipe

    typer.echo(train_from_scratch(load_recipe(recipe), data, output, device=device, limit=limit))


@app.command(name="app")
def serve(
    checkpoint: Checkpoint = "magic-tiny",
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port")] = 7860,
) -> None:
    """Start the web page."""
    from .ui import launch

    launch(checkpoint=checkpoint, server_name=host, server_port=port)


def _place(
    image: Path,
    mask_source: str,
    mask_shape: str,
    align: bool,
    band_width: float,
    pixels_per_mm: float | None,
    foreground: Path | None,
    seed: int,
) -> dict[str, Any]:
    """Keyword arguments of ``plan``: a mask source that is a file is read as the user's own mask."""
    from .images import load_image, load_mask

    size = load_image(image).shape[:2]
    if foreground is not None and foreground.is_dir():
        foreground = foreground / f"{image.stem}_mask.png"
    return {
        "mask_source": mask_source
        if mask_source in ("auto", "band", "clipseg")
        else load_mask(Path(mask_source), size, field="mask_source"),
        "mask_shape": mask_shape,
        "align": align,
        "band_width": band_width,
        "pixels_per_mm": pixels_per_mm,
        "seed": seed,
        "foreground": None if foreground is None else load_mask(foreground, size, field="foreground"),
    }


def _draw_strengths(low: float | None, high: float | None, count: int, seed: int) -> list[float]:
    import numpy as np

    from .checks import require_number, require_seed

    bottom = require_number("anomaly_strength_min", 0.0 if low is None else low, 0, 1)
    top = require_number("anomaly_strength_max", 1.0 if high is None else high, bottom, 1)
    number = require_number("num_images", count, 1, 1000, integer=True)
    return np.random.default_rng(require_seed(seed)).uniform(bottom, top, number).tolist()


def _write_results(folder: Path, image: Path, results: list[Any]) -> None:
    """``<stem>_000.png`` (record inside), ``_mask.png``, ``_refined_mask.png`` and ``.json`` of every result."""
    import numpy as np

    from .records import KEYWORD

    for i, result in enumerate(results):
        stem = f"{image.stem}_{i:03d}"
        text = json.dumps(result.record, ensure_ascii=False)
        _write_png(folder / f"{stem}.png", np.asarray(result.image), {KEYWORD: text})
        _write_png(folder / f"{stem}_mask.png", result.mask)
        _write_png(folder / f"{stem}_refined_mask.png", result.refined_mask)
        (folder / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
        weak = "  (weak: hardly anything was drawn; try more strength or another seed)" if result.weak else ""
        typer.echo(
            f"{folder / stem}.png  strength {result.record['anomaly_strength']:.2f}  seed {result.record['seed']}{weak}"
        )


def _write_png(path: Path, pixels: Any, text: dict[str, str] | None = None) -> None:
    from .images import encode_png

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(pixels, text))
    except OSError as error:
        raise InputError("output", f"the results cannot be written: {error.strerror}.") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("record", "the record file cannot be read as JSON.") from error


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Entry point: an :class:`InputError` ends with its sentence and exit code 2, never with a traceback."""
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
