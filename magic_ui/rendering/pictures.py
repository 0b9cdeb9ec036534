"""Whole pictures of clean parts, and of one defect on them, for the gallery.

`python -m magic_ui.rendering.pictures --output DIR --size 1024 --category screw --seed 3` writes
`screw_3.png` and its foreground mask `screw_3_foreground.png`; with `--defect scratch` also the defective
picture and its exact mask.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image


def render_picture(
    category: str,
    seed: int,
    size: int = 1024,
    defect: str | None = None,
    *,
    severity: str = "moderate",
    spp: int = 96,
) -> dict:
    """Square picture of a random part, the same for the same arguments.

    Returns normal uint8 [size, size, 3], foreground bool [size, size], part_map uint8 [size, size] (index into
    meta's labels, 255 off the part), meta (dict) and, with a `defect` that shows at the place drawn for it,
    defective uint8 [size, size, 3] and mask bool [size, size]. `size` is in pixels, `spp` in samples a pixel.
    """
    from magic_ui.rendering import compose
    from magic_ui.rendering.sensor import LUMINANCE, expose, random_sensor
    from magic_ui.rendering.stage import Camera

    generator = np.random.default_rng([seed, 77])
    part = compose.random_part(generator, category)
    field = 42.0 if part.fills_frame else 1.28 * part.size
    camera = compose.camera_above(generator, part, size, field=field, tilt=9.0)
    finish = compose.finish_for(generator, part, field * 0.4)
    # Seen whole, a part shows less of its relief than its grain up close.
    finish.height = finish.height * 0.35
    extent = float(np.exp(np.log(part.defect_range).mean())) * 1.2
    anchor = compose.choose_anchor(generator, part, camera.eye)
    for _ in range(20):
        stage = compose.build_stage(
            generator,
            part,
            finish,
            anchor=anchor,
            chart_size=1.45 * extent,
            ground_period=field * 0.9,
            ground_kind="paper",
        )
        if stage.sees(camera, anchor):
            break
        anchor = compose.choose_anchor(generator, part, camera.eye)
    box = (0, 0, size, size)
    fine = Camera(camera.eye, camera.target, 2 * size)
    uv, on_part = stage.look_up(fine, (0, 0, 2 * size, 2 * size))
    foreground = compose.pool(on_part, 0.5)
    clean = stage.render(camera, box, spp=spp, seed=seed, depth=4)
    sensor = random_sensor(generator, clean, foreground)
    # The ground of a well exposed inspection picture is light grey, about 0.75 of full scale after gamma.
    ground = 0.52 / max(float(np.quantile(clean @ LUMINANCE, 0.9)), 1e-4)
    gain = sensor.gain if part.fills_frame else ground
    sensor = replace(sensor, gain=gain, grey=sensor.grey or category == "screw", noise=0.004, blur=0.0, jpeg=None)
    meta = {"category": category, "finish": finish.name, "grey": sensor.grey, "labels": part.labels}
    label_map = np.where(on_part, part.label_of(uv), 255)[::2, ::2].astype(np.uint8)
    result = {"normal": expose(clean, sensor), "foreground": foreground, "part_map": label_map, "meta": meta}
    for _ in range(8 if defect is not None else 0):
        variant = compose.draw_variant(generator, part, str(defect), severity, extent, 1.45 * extent, field / size)
        drawn = compose.render_variant(
            stage, camera, box, variant, compose.surface_of(finish), clean, (uv, on_part), spp=spp, seed=seed
        )
        if drawn is None:
            continue
        picture, mask, record = expose(drawn[0], sensor), drawn[1], drawn[2]
        if compose.visible_change(result["normal"], picture, mask) < compose.VISIBLE[severity]:
            continue
        labels = label_map[mask & (label_map < 255)]
        place = part.labels[int(np.bincount(labels).argmax())] if labels.size else part.labels[0]
        meta["defect"] = record | {"part": place, "orientation": variant.orientation}
        result |= {"defective": picture, "mask": mask}
        break
    return result


def main() -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--category", default="screw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--spp", type=int, default=96)
    parser.add_argument("--defect")
    parser.add_argument("--severity", default="moderate")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    picture = render_picture(
        options.category,
        options.seed,
        options.size,
        options.defect,
        severity=options.severity,
        spp=options.spp,
    )
    stem = f"{options.category}_{options.seed}"
    Image.fromarray(picture["normal"]).save(options.output / f"{stem}.png")
    Image.fromarray(picture["foreground"]).convert("L").save(options.output / f"{stem}_foreground.png")
    if "defective" in picture:
        Image.fromarray(picture["defective"]).save(options.output / f"{stem}_{options.defect}.png")
        Image.fromarray(picture["mask"]).convert("L").save(options.output / f"{stem}_{options.defect}_mask.png")
    print(json.dumps(picture["meta"]))


if __name__ == "__main__":
    main()
