"""Training pairs: windows of rendered parts, clean and with three defects each.

`python -m magic_ui.rendering.pairs --output DIR --count N --seed S --workers 2` writes one
`scene_000123.npz` a scene: normal uint8 [160, 160, 3]; defective uint8 [3, 160, 160, 3]; mask bool [3, 160,
160]; foreground bool [160, 160]; part_map uint8 [160, 160] (index into meta's labels, 255 off the part);
meta, a JSON string.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

WINDOW = 160
SAMPLES = 18


def render_scene(
    seed: int, index: int, *, window: int = WINDOW, spp: int = SAMPLES, category: str | None = None
) -> dict:
    """One scene's arrays and meta (dict), the same for the same (seed, index)."""
    from magic_ui.rendering import compose

    # One category for all attempts: else parts on which defects hardly show would be rare.
    if category is None:
        category = compose.choose(np.random.default_rng([seed, index]), compose.CATEGORY_WEIGHTS)
    for attempt in range(40):
        generator = np.random.default_rng([seed, index, attempt])
        scene = _try_scene(generator, window, spp, category)
        if scene is not None:
            return scene
    raise RuntimeError(f"scene {index} of seed {seed}: no visible defect in 40 attempts")


def _try_scene(generator: np.random.Generator, window: int, spp: int, category: str) -> dict | None:
    from magic_ui.rendering import compose
    from magic_ui.rendering.sensor import expose, random_sensor

    part = compose.random_part(generator, category)
    extent = float(np.exp(generator.uniform(*np.log(part.defect_range))))
    side = extent * generator.uniform(1.8, 3.3)
    field = 2.4 * part.size
    # The camera's own pixels across the window: fewer than the output's where its resolution is low.
    # Everything is laid on sixteenths of the window, so that pictures and look-ups fall on the same grid.
    native = 10 if generator.random() < 0.45 else int(generator.integers(4, 10))
    native = max(1, native * window // WINDOW)
    sixteenths = max(16, round(field / side * 16))
    camera = compose.camera_above(generator, part, sixteenths * native, field=field)
    anchor = compose.choose_anchor(generator, part, camera.eye)
    chart_size = 1.45 * extent
    finish = compose.finish_for(generator, part, side)
    stage = compose.build_stage(
        generator,
        part,
        finish,
        anchor=anchor,
        chart_size=chart_size,
        ground_period=side * generator.uniform(1.2, 3),
    )
    if not stage.sees(camera, anchor):
        return None
    shift = generator.uniform(-0.2, 0.2, 2) * (side - extent) / side * 16
    corner = np.round(camera.project(anchor.position) / native - 8 + shift).astype(int)
    if corner.min() < 0 or corner.max() + 16 > sixteenths:
        return None
    box = (int(corner[0]) * native, int(corner[1]) * native, 16 * native, 16 * native)
    uv, on_part = _doubled_look_up(stage, camera, box, window)
    foreground = compose.pool(on_part, 0.5)
    render_seed = int(generator.integers(2**31))
    clean = stage.render(camera, box, spp=spp, seed=render_seed)
    sensor = random_sensor(generator, clean, compose.resize(foreground, box[2]) > 0.5)
    normal = expose(clean, sensor, window)
    variants = compose.draw_variants(generator, part, extent, chart_size, side / window)
    surface = compose.surface_of(finish)
    pictures, masks, records = [], [], []
    for variant in variants:
        for attempt in range(6):
            drawn = compose.render_variant(
                stage, camera, box, variant, surface, clean, (uv, on_part), spp=spp, seed=render_seed
            )
            if drawn is not None:
                picture = expose(drawn[0], sensor, window)
                if compose.visible_change(normal, picture, drawn[1]) >= compose.VISIBLE[variant.request.severity]:
                    break
            drawn = None
            if attempt < 2:  # another brush, of another tone, may show where this one does not
                variant = replace(variant, seed=int(generator.integers(2**32)))
                continue
            kind = compose.choose_defect(generator, part.category)
            severity = str(generator.choice(["moderate", "severe"]))
            variant = compose.draw_variant(generator, part, kind, severity, extent, chart_size, side / window)
        if drawn is None:
            return None
        pictures.append(picture)
        masks.append(drawn[1])
        labels = part.label_of(uv)[np.repeat(np.repeat(drawn[1], 2, 0), 2, 1) & on_part]
        place = part.labels[int(np.bincount(labels).argmax())] if labels.size else part.labels[0]
        records.append(
            drawn[2] | {"part": place, "orientation": variant.orientation, "mm_per_pixel": round(side / window, 5)}
        )
    label_map = np.where(on_part, part.label_of(uv), 255)[::2, ::2].astype(np.uint8)
    meta = {
        "category": category,
        "labels": part.labels,
        "finish": finish.name,
        "grey": sensor.grey,
        "variants": records,
    }
    return {
        "normal": normal,
        "defective": np.stack(pictures),
        "mask": np.stack(masks),
        "foreground": foreground,
        "part_map": label_map,
        "meta": json.dumps(meta),
    }


def _doubled_look_up(stage, camera, box, window):
    """Look-ups of the box on a grid of 2 × window samples a side."""
    from magic_ui.rendering.stage import Camera

    def scaled(value: int) -> int:
        return value * 2 * window // box[2]

    fine = Camera(camera.eye, camera.target, scaled(camera.film))
    return stage.look_up(fine, tuple(scaled(value) for value in box))


def write_scene(output: Path, seed: int, index: int, categories: tuple[str, ...] | None = None) -> Path:
    """Render a scene into `output`, atomically; an existing file is left alone. `categories` are taken in turn."""
    path = output / f"scene_{index:06d}.npz"
    if not path.exists():
        scene = render_scene(seed, index, category=categories[index % len(categories)] if categories else None)
        partial = output / f".{path.name}.{os.getpid()}"
        with partial.open("wb") as file:
            np.savez_compressed(file, **scene)
        partial.replace(path)
    return path


def start_worker() -> None:
    """Set a worker process up: one thread, Mitsuba quiet."""
    import cv2

    cv2.setNumThreads(1)
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    mi.set_log_level(mi.LogLevel.Error)
    import drjit as dr

    dr.set_thread_count(0)


def _write(job: tuple[Path, int, int, tuple[str, ...] | None]) -> str | None:
    try:
        write_scene(*job)
    except RuntimeError as error:
        return str(error)
    return None


def render_pairs(output: Path, count: int, seed: int, workers: int, categories: tuple[str, ...] | None = None) -> None:
    """Write `count` scenes (three pairs each) with `workers` processes; resumes where files are missing.

    `categories` are taken in turn; by default each is drawn by `compose.CATEGORY_WEIGHTS`.
    """
    output.mkdir(parents=True, exist_ok=True)
    missing = [i for i in range(count) if not (output / f"scene_{i:06d}.npz").exists()]
    jobs = [(output, seed, index, categories) for index in missing]
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, start_worker) as pool:
        progress = tqdm(pool.imap_unordered(_write, jobs), total=len(jobs), unit="scene")
        for failure in progress:
            if failure:
                progress.write(failure)


def main() -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--held-out", action="store_true", help="only the categories that are never trained on")
    options = parser.parse_args()
    categories = None
    if options.held_out:
        from magic_ui.rendering.compose import HELD_OUT

        categories = HELD_OUT
    render_pairs(options.output, options.count, options.seed, options.workers, categories)


if __name__ == "__main__":
    main()
