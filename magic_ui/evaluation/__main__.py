"""Command line of the evaluation: ``python -m magic_ui.evaluation``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command import run_evaluation


def main() -> None:
    """Read the options and measure."""
    about = (run_evaluation.__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m magic_ui.evaluation", description=about)
    parser.add_argument("--checkpoint", default="magic-tiny", help="registry name or folder")
    parser.add_argument("--train", type=Path, help="scenes that the classifier is trained on")
    parser.add_argument("--held-out", type=Path, required=True, help="scenes of other seeds")
    parser.add_argument("--unseen", type=Path, help="scenes of categories never trained on")
    parser.add_argument("--real", type=Path, help="DS-MVTec folder")
    parser.add_argument("--output", type=Path, default=Path("evaluation"))
    parser.add_argument("--classifier", type=Path, help="file to keep the classifier in; default: in the output folder")
    parser.add_argument("--classifier-steps", type=int, default=3000)
    parser.add_argument("--samples", type=int, default=64, help="held-out defects to paint")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        help="anomaly strength, 0–1; at 1 a change is as strong as in the renders",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5, help="pictures to time")
    options = parser.parse_args()
    run_evaluation(**vars(options))


if __name__ == "__main__":
    main()
