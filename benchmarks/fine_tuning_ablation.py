"""What fine-tuning owes to each of its parts: python benchmarks/fine_tuning_ablation.py DS-MVTEC --output FOLDER.

Trains one checkpoint with everything and one without each part, on the same pictures for the same steps, and judges
each by unseen real defects: KID, a segmenter's pixel AP, the class. An interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from magic_ui.evaluation.command import run_downstream
from magic_ui.training.finetune import FineTuning
from magic_ui.training.run import TrainingData, fine_tune_dataset

BASE = FineTuning(learning_rate=5e-4, text_noise="uniform", masked_share=0.15, sample_every=0)
VARIANTS: dict[str, tuple[dict, str, bool]] = {
    "everything": ({}, "patches", True),
    "without CAMA": ({}, "patches", False),
    "without GPP": ({"text_noise_scale": 0.0}, "patches", True),
    "without attribute words": ({"attribute_words": False}, "patches", True),
    "without Chinese captions": ({"bilingual": False}, "patches", True),
    "masked pictures, no stand-ins": ({}, "none", True),
    "stand-ins by the model": ({}, "model", True),
}
"""What differs: settings, what stands in for normal pictures, whether masks are placed by CAMA."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("real", type=Path, help="folder in DS-MVTec layout")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--checkpoint", default="magic-tiny")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--ema-decay", type=float, default=0.99, help="a short run has no time for a longer average")
    parser.add_argument("--per-class", type=int, default=24)
    parser.add_argument("--train-share", type=float, default=1 / 3)
    parser.add_argument("--variants", nargs="*", choices=tuple(VARIANTS), default=tuple(VARIANTS), metavar="VARIANT")
    options = parser.parse_args()
    lines = []
    for name in options.variants:
        changes, stand_ins, align = VARIANTS[name]
        run = options.output / ("everything" if not changes and stand_ins == "patches" else name).replace(" ", "_")
        made = run / "checkpoint"
        if not made.is_dir():
            data = TrainingData(options.real, train_share=options.train_share, pseudo_normals=stand_ins)
            settings = replace(BASE, steps=options.steps, batch_size=options.batch_size, ema_decay=options.ema_decay)
            fine_tune_dataset(options.checkpoint, data, replace(settings, **changes), run)
        report = options.output / "reports" / name.replace(" ", "_")
        if not (report / "report.json").is_file():
            run_downstream(
                real=options.real,
                checkpoint=str(made),
                output=report,
                per_class=options.per_class,
                train_share=options.train_share,
                align=align,
                rivals=False,
            )
        details = json.loads((report / "report.json").read_text(encoding="utf-8"))["details"]
        kid = details["kid_real"]["ours"]
        precision = [run["pixel_ap"] for run in details["downstream"]["ours"]]
        classes = details["classification"]["ours"]
        lines.append(
            f"{name:32s} {1000 * kid['mean']:7.2f} ± {1000 * kid['std']:5.2f}   "
            + "   ".join(f"{np.mean(v):.3f} ± {np.std(v, ddof=1):.3f}" for v in (precision, classes))
        )
        print(lines[-1], flush=True)
    print(f"\n{'':32s} {'KID × 1000':>15s}   {'pixel AP':13s}   class")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
