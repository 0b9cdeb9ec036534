"""The command that moves a defect's mask from one part to another: align."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from .files import write_png
from .options import Checkpoint, Output, print_json, words

METHODS = ("ours", "published")
FEATURES = ("unet", "dinov2", "none")


def align(
    reference: Annotated[Path | None, typer.Argument(help="Picture of the defective part.", show_default=False)] = None,
    reference_mask: Annotated[Path | None, typer.Argument(help="Its defect's mask.", show_default=False)] = None,
    image: Annotated[Path | None, typer.Argument(help="Picture of the normal part.", show_default=False)] = None,
    base_dir: Annotated[
        Path | None, typer.Option("--base_dir", help="Dataset in DS-MVTec layout: match all its defects and normals.")
    ] = None,
    categories: Annotated[str | None, typer.Option("--categories", help="Of the dataset; default: all.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Normal pictures of each category.")] = None,
    method: Annotated[str, typer.Option("--method", help="ours or published.")] = "ours",
    features: Annotated[str, typer.Option("--features", help="unet (the checkpoint's), dinov2 or none.")] = "unet",
    checkpoint: Checkpoint = "magic-tiny",
    may_leave: Annotated[bool, typer.Option("--may-leave/--on-object", help="May lie beside the object.")] = False,
    output: Output = Path("out"),
) -> None:
    """Move a defect's mask to the matching place of a normal part (CAMA).

    With --base_dir the matches of all defects on all normal pictures are written as matching_result.json.
    """
    from ..checks import require_choice

    require_choice("method", method, METHODS)
    require_choice("features", features, FEATURES)
    compute = _features(features, checkpoint)
    if method == "published" and compute is None:
        raise InputError("features", "the published matching compares features; choose unet or dinov2.")
    if base_dir is not None:
        _match_dataset(base_dir, words(categories), limit, method, compute, output / "matching_result.json")
        return
    if reference is None or reference_mask is None or image is None:
        raise InputError("reference", "give the defective picture, its mask and the normal picture, or --base_dir.")
    from ..images import load_image, load_mask
    from ..localize.align_masks import move_mask

    defective, normal = load_image(reference), load_image(image)
    mask = load_mask(reference_mask, defective.shape[:2], field="reference")
    moved = move_mask(defective, mask, normal, method=method, features=compute, may_leave=may_leave)
    write_png(output / f"{image.stem}_mask.png", moved.mask)
    print_json({"mask_pixels": int(moved.mask.sum()), "confidence": moved.confidence, "notes": moved.notes})


def _features(name: str, checkpoint: str) -> Any:
    """The dense features asked for: a callable on pictures, or None."""
    if name == "none":
        return None
    if name == "dinov2":
        from ..localize.dinov2 import DinoFeatures

        return DinoFeatures()
    from ..paint.checkpoint import load_checkpoint
    from ..paint.features import UNetFeatures

    return UNetFeatures(load_checkpoint(checkpoint))


def _match_dataset(
    base_dir: Path, categories: list[str] | None, limit: int | None, method: str, compute: Any, output: Path
) -> None:
    from tqdm import tqdm

    from ..data.layout import GOOD
    from ..data.readers import read_ds_mvtec
    from ..localize.align_masks import Matcher
    from ..localize.matches import write_matches

    samples = read_ds_mvtec(base_dir, categories)
    defective = [s for s in samples if s.defect != GOOD]
    table: dict[str, dict[str, list[Any]]] = {}
    for sample in defective:
        table.setdefault(sample.category, {}).setdefault(sample.defect, [])
    for category in table:
        normals = [s for s in samples if s.category == category and s.defect == GOOD][:limit]
        own = [s for s in defective if s.category == category]
        matcher = Matcher(method, compute)
        references = [(s, matcher.reference(s.load_image(), s.load_mask(), category)) for s in own]
        for normal in tqdm(normals, unit="picture", desc=category):
            target = matcher.target(normal.load_image(), category)
            for sample, reference in references:
                table[category][sample.defect] += matcher.match(
                    reference, target, normal.image_path.name, sample.image_path.name
                )
    write_matches(output, table)
    count = sum(len(found) for defects in table.values() for found in defects.values())
    typer.echo(f"{output}  {count} matches")
