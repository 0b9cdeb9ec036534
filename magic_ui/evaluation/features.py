"""VGG16 features without a model hub: the shift-tolerant weights that the ``stlpips-pytorch`` wheel carries.

The wheel's own Python wants torchvision; its state dict fits the plain feature stack below, a VGG16 whose poolings are
max 2×2 at stride 1 followed by a binomial blur at stride 2 (Ghildyal and Liu 2022, "Shift-tolerant Perceptual
Similarity Metric"; weights BSD-2-Clause).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..errors import InputError

NAME = "VGG16, shift-tolerant (stlpips-pytorch 0.0.2)"
"""What reports call these features; numbers from other features are not to be compared with them."""

_WEIGHTS = Path("weights", "vST0.0", "vgg_shift_tolerant.pth")
# Convolutions of each stage, by the position that names them in the state dict.
_STAGES = (
    (("slice1.0", 3, 64), ("slice1.2", 64, 64)),
    (("slice2.6", 64, 128), ("slice2.8", 128, 128)),
    (("slice3.12", 128, 256), ("slice3.14", 256, 256), ("slice3.16", 256, 256)),
    (("slice4.20", 256, 512), ("slice4.22", 512, 512), ("slice4.24", 512, 512)),
    (("slice5.28", 512, 512), ("slice5.30", 512, 512), ("slice5.32", 512, 512)),
)


class _BlurPool(nn.Module):
    """Max over 2×2, then a 3×3 binomial blur at every second pixel, the border mirrored."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(x, 2, stride=1)
        row = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype, device=x.device) / 4
        kernel = torch.outer(row, row).expand(x.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])


class VGGFeatures(nn.Module):
    """Images [N, 3, S, S] in −1…1 → the last activations of the five stages, [N, C, s, s] each.

    ``linear``: the learned weight of every channel in LPIPS, five tensors [C], none of them negative.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for index, convolutions in enumerate(_STAGES):
            layers: list[nn.Module] = [_BlurPool()] if index else []
            for _, inputs, outputs in convolutions:
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
            self.stages.append(nn.Sequential(*layers))
            self.register_buffer(f"linear{index}", torch.ones(convolutions[-1][2]))
        self.register_buffer("shift", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))

    @property
    def linear(self) -> list[torch.Tensor]:
        """See the class."""
        return [self.get_buffer(f"linear{index}") for index in range(len(_STAGES))]

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """See the class."""
        x = (images - self.get_buffer("shift")) / self.get_buffer("scale")
        activations = []
        for stage in self.stages:
            x = stage(x)
            activations.append(x.clone())  # the next stage's ReLU works in place
        return activations


def load_vgg() -> VGGFeatures:
    """The network with the wheel's weights, ready to use.

    Raises:
        InputError: the wheel is not installed.
    """
    found = find_spec("stlpips_pytorch")
    if found is None or not found.submodule_search_locations:
        raise InputError("features", 'the VGG weights are missing; install them: pip install "magic-ui[metrics]".')
    path = Path(found.submodule_search_locations[0]) / _WEIGHTS
    weights = torch.load(path, map_location="cpu", weights_only=True)
    model = VGGFeatures()
    state = {"shift": weights["scaling_layer.shift"], "scale": weights["scaling_layer.scale"]}
    for index, convolutions in enumerate(_STAGES):
        state[f"linear{index}"] = weights[f"lin{index}.model.1.weight"].flatten()
        for position, (name, _, _) in enumerate(convolutions):
            for kind in ("weight", "bias"):
                key = f"stages.{index}.{(index > 0) + 2 * position}.{kind}"
                state[key] = weights[f"net.{name}.{kind}"]
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def to_images(crops: Sequence[np.ndarray]) -> torch.Tensor:
    """uint8 [S, S, 3] crops → float32 [N, 3, S, S] in −1…1."""
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def pooled_features(model: VGGFeatures, crops: Sequence[np.ndarray], *, batch_size: int = 16) -> np.ndarray:
    """Spatial means of the stages' activations, one vector a crop: float32 [N, 1472].

    At every place the channels are scaled to unit length, as in LPIPS: the pattern is compared, not the exposure, and
    the five stages weigh alike, from the first, which tell grain and edges, to the last, which tell shapes.
    """
    rows = []
    for start in range(0, len(crops), batch_size):
        stages = model(to_images(crops[start : start + batch_size]))
        pooled = torch.cat([F.normalize(stage, dim=1).mean(dim=(2, 3)) for stage in stages], dim=1)
        # The kernel divides by the dimension: at this scale x·x/d is near 1, in its curved part, not near 0.
        rows.append(pooled * (pooled.shape[1] / len(stages)) ** 0.5)
    return torch.cat(rows).numpy()


@torch.no_grad()
def perceptual_vectors(model: VGGFeatures, crops: Sequence[np.ndarray], *, batch_size: int = 16) -> torch.Tensor:
    """Vectors [N, D] whose squared distances are LPIPS (Zhang et al. 2018, formula (1)).

    LPIPS is a weighted mean of squares, Σ_l 1/(h_l w_l) Σ_hw ‖w_l ⊙ (ŷ_l − ŷ0_l)‖², so the weights' roots can be
    multiplied into the unit-length activations once for every picture.
    """
    rows = []
    for start in range(0, len(crops), batch_size):
        stages = model(to_images(crops[start : start + batch_size]))
        parts = []
        for stage, weight in zip(stages, model.linear, strict=True):
            scaled = F.normalize(stage, dim=1, eps=1e-10) * weight.sqrt()[None, :, None, None]
            parts.append((scaled / (stage.shape[2] * stage.shape[3]) ** 0.5).flatten(1))
        rows.append(torch.cat(parts, dim=1))
    return torch.cat(rows)
