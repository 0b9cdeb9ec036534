"""Which defect is it? A small network, trained on rendered truth, that reads what was changed on a surface.

It sees the defective crop and its difference from the normal crop, never the mask. The difference is needed because
several kinds are defined by it: a worn or discolored place is one that looks unlike the sound surface around it, and on
wood or carpet only the normal picture tells the defect from the grain.

Renders differ from painted pictures in ways that are no defect's doing (relief reaches a little beyond the mask,
the sensor's noise is fresh). Training therefore composites most truths inside a loose mask, blurs and rescales their
difference and adds noise, so that the judgement hangs on what both share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..devices import mixed_precision
from ..errors import InputError
from .scenes import DefectSample, crop_around

SIZE = 64
CONTEXT = 2.0
STORED = 96
"""Side of the crops that training draws its windows from; they show CONTEXT times the mask's side."""


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.skip = nn.Identity() if inputs == outputs and stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.skip(x))


class DefectClassifier(nn.Module):
    """A residual network on what :func:`stack_inputs` makes of crops, [N, 9, 64, 64] → logits [N, K].

    ``classes``: the K defects in the order of the logits.
    """

    def __init__(self, classes: Sequence[str], widths: Sequence[int] = (32, 64, 128, 192)) -> None:
        super().__init__()
        self.classes = list(classes)
        self.stem = nn.Sequential(
            nn.Conv2d(9, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        stages = [_Residual(widths[0], widths[0], 1)]
        for before, after in pairwise(widths):
            stages += [_Residual(before, after, 2), _Residual(after, after, 1)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * widths[-1], len(self.classes)))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, K]."""
        x = self.stages(self.stem(x))
        return self.head(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))


def stack_inputs(normal: torch.Tensor, defective: torch.Tensor) -> torch.Tensor:
    """Crops [N, 3, S, S] in −1…1 → the network's input [N, 9, S, S]: the picture, four times its change, and the change
    in units of its own size, so that a slight defect shows its form as a severe one does."""
    change = defective - normal
    size = change.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return torch.cat([defective, 4 * change, change / (3 * size + 0.01)], dim=1)


def _crops(samples: Sequence[DefectSample]) -> torch.Tensor:
    """Stored crops, uint8 [N, 7, STORED, STORED]: normal picture, defective picture, loose mask (0 or 255)."""
    stored = np.empty((len(samples), STORED, STORED, 7), np.uint8)
    for row, sample in zip(stored, samples, strict=True):
        row[..., :3] = crop_around(sample.normal, sample.mask, STORED, context=CONTEXT)
        row[..., 3:6] = crop_around(sample.defective, sample.mask, STORED, context=CONTEXT)
        mask = crop_around(sample.mask.astype(np.float32), sample.mask, STORED, context=CONTEXT)
        row[..., 6] = np.where(mask > 0.02, 255, 0)
    return torch.from_numpy(stored).permute(0, 3, 1, 2)


def _augment(stored: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random views of stored crops [N, 7, STORED, STORED] → inputs [N, 9, SIZE, SIZE]."""
    count, crops = len(stored), stored.float() / 127.5 - 1
    normal, defective, inside = crops[:, :3], crops[:, 3:6], (crops[:, 6:] > 0).float()

    def draw(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand((count, *shape), generator=generator)

    change = defective - normal
    confined = (draw(0, 1, 1, 1, 1) < 0.75).float()
    change = change * (confined * inside + 1 - confined)
    change = change * draw(0.7, 1.3, 1, 1, 1)
    blurred = F.avg_pool2d(change, 3, 1, 1, count_include_pad=False)
    share = draw(0, 1, 1, 1, 1) * (draw(0, 1, 1, 1, 1) < 0.4)
    change = change + share * (blurred - change)
    noise = torch.randn(change.shape, generator=generator) * draw(0, 0.02, 1, 1, 1)
    change = change + noise * inside
    grey = (draw(0, 1, 1, 1, 1) < 0.3).float()
    normal, change = (v + grey * (v.mean(1, keepdim=True) - v) for v in (normal, change))
    angle, zoom = draw(0, 2 * np.pi), draw(0.62, 0.95)
    mirror = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    shift = draw(-0.08, 0.08, 2)
    grid = torch.stack(
        [torch.stack([mirror * cos, -sin, shift[:, 0]], 1), torch.stack([mirror * sin, cos, shift[:, 1]], 1)], 1
    )
    views = F.grid_sample(
        torch.cat([normal, change], 1),
        F.affine_grid(grid, [count, 6, SIZE, SIZE], align_corners=False),
        padding_mode="reflection",
        align_corners=False,
    )
    normal, change = views[:, :3], views[:, 3:]
    normal = normal * draw(0.8, 1.2, 1, 1, 1) + draw(-0.15, 0.15, 3, 1, 1)
    return stack_inputs(normal, (normal + change).clamp(-1.2, 1.2))


def train_classifier(
    samples: Sequence[DefectSample],
    *,
    steps: int = 6000,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
    report: Callable[[int, int, float], None] | None = None,
) -> DefectClassifier:
    """Train on rendered truth, every defect equally often.

    Args:
        report: called with (step, steps, mean loss of the last 50 steps).

    Raises:
        InputError: fewer than two defects.
    """
    classes = sorted({sample.defect for sample in samples})
    if len(classes) < 2:
        raise InputError("scenes", "a classifier needs samples of two or more defects.")
    stored = _crops(samples)
    labels = np.array([classes.index(sample.defect) for sample in samples])
    members = [np.flatnonzero(labels == k) for k in range(len(classes))]
    rng, generator = np.random.default_rng([seed, 11]), torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DefectClassifier(classes)
        optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
        losses: list[float] = []
        for step in range(steps):
            drawn = rng.integers(len(classes), size=batch_size)
            picks = np.array([rng.choice(members[k]) for k in drawn])
            inputs = _augment(stored[picks], generator)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            with mixed_precision(torch.device("cpu")):
                logits = model(inputs)
            loss = F.cross_entropy(logits.float(), torch.from_numpy(drawn), label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            if report and (step + 1) % 50 == 0:
                report(step + 1, steps, float(np.mean(losses[-50:])))
    return model.eval()


@torch.no_grad()
def classify(
    model: DefectClassifier, normal: Sequence[np.ndarray], defective: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> np.ndarray:
    """Probabilities [N, K]; the mask only says where to look. Mean over four zooms of four turned and mirrored views.

    Args:
        normal, defective: uint8 [H, W, 3] each.
        masks: bool [H, W] each.
    """
    totals = 0
    for context in (1.4, 1.6, 1.8, 2.0):
        crops = [
            torch.from_numpy(
                np.stack([crop_around(p, m, SIZE, context=context) for p, m in zip(ps, masks, strict=True)])
            )
            for ps in (normal, defective)
        ]
        inputs = stack_inputs(*(c.permute(0, 3, 1, 2).float() / 127.5 - 1 for c in crops))
        for view in (inputs, inputs.flip(3), inputs.transpose(2, 3), inputs.rot90(1, (2, 3))):
            totals = totals + torch.cat([model(chunk).softmax(1) for chunk in view.split(64)])
    return (totals / 16).numpy()


def confusion_matrix(expected: Sequence[str], probabilities: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Counts [K, K]: row the true (or instructed) defect, column the recognised one."""
    counts = np.zeros((len(classes), len(classes)), int)
    for name, row in zip(expected, probabilities, strict=True):
        counts[classes.index(name), int(row.argmax())] += 1
    return counts


def save_classifier(model: DefectClassifier, path: Path) -> None:
    """Write weights and classes to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"classes": model.classes, "weights": model.state_dict()}, path)


def load_classifier(path: Path) -> DefectClassifier:
    """Read what :func:`save_classifier` wrote."""
    saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    model = DefectClassifier(saved["classes"])
    model.load_state_dict(saved["weights"])
    return model.eval()
