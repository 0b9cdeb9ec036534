"""Options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

ImageArgument = Annotated[Path, typer.Argument(help="Picture of a normal part.", show_default=False)]
InstructionArgument = Annotated[
    str, typer.Argument(help="What to draw and where, in one sentence.", show_default=False)
]
Checkpoint = Annotated[
    str, typer.Option("--checkpoint", help="Registry name or StableDiffusionInpaintPipeline folder.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")]
MaskSource = Annotated[str, typer.Option("--mask-source", help="auto, band, clipseg, or a mask file (white: repaint).")]
MaskShape = Annotated[str, typer.Option("--mask-shape", help="defect or region.")]
Library = Annotated[
    Path | None, typer.Option("--mask-library", help="Folder of masks: one is drawn by the seed and placed.")
]
Align = Annotated[bool, typer.Option("--align/--no-align", "--CAMA/--no-CAMA", help="Keep the mask on the object.")]
BandWidth = Annotated[
    float, typer.Option("--band-width", help="Share of the object an image-frame word means, 0.1–0.5.")
]
Scale = Annotated[float | None, typer.Option("--pixels-per-mm", help="Scale, so that millimetres become pixels.")]
Foreground = Annotated[
    Path | None,
    typer.Option(
        "--foreground", "--normal_masks", help="Mask of the object, a folder of NAME_mask.png, rembg or full."
    ),
]
Seed = Annotated[int, typer.Option("--seed")]
NoiseScale = Annotated[float, typer.Option("--text-noise-scale", "--text_noise_scale", help="GPP's sigma.")]
StopStep = Annotated[int | None, typer.Option("--anomaly-stop-step", "--anomaly_stop_step", help="Last step of MGNI.")]
AnomalyNoise = Annotated[float | None, typer.Option("--anomaly-noise", help="MGNI weight; default: the strength.")]
RandomMask = Annotated[bool, typer.Option("--use-random-mask/--no-random-mask", "--use_random_mask/--no_random_mask")]
Steps = Annotated[int | None, typer.Option("--steps", help="Denoising steps; default: the checkpoint's.")]
Guidance = Annotated[float | None, typer.Option("--guidance-scale", help="Guidance inside the mask, first step.")]
Candidates = Annotated[int, typer.Option("--candidates", help="Paint so many and keep the best.")]


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def words(text: str | None) -> list[str] | None:
    """Names with commas or spaces between them; None where there are none."""
    return (text or "").replace(",", " ").split() or None
