"""Dense features of a picture from the inpainting UNet itself: no second model is needed to compare two parts."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch

from .checkpoint import Checkpoint, images_to_tensor

TIMESTEP = 120
"""Of 1,000: enough noise that the UNet looks at structure, too little to hide it."""
BLOCK = 1
"""Index of the decoder block whose output is taken, as in DIFT (Tang et al., NeurIPS 2023)."""


class _Reached(Exception):
    """Leaves the UNet where the features are: the last, widest blocks would take a third of the time for nothing."""

    def __init__(self, output: torch.Tensor) -> None:
        super().__init__()
        self.output = output


def _stop_with_output(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
    raise _Reached(output)


class UNetFeatures:
    """Callable: picture uint8 [H, W, 3] → unit features float32 [h, w, C].

    The picture is seen whole, its longer side at ``scale`` times the checkpoint's resolution, with nothing to repaint
    and no words; the noise is always the same, so equal pictures have equal features.
    """

    def __init__(self, checkpoint: Checkpoint, *, scale: float = 2.0) -> None:
        self.checkpoint, self.side = checkpoint, int(scale * checkpoint.info.resolution)

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Features of one picture."""
        checkpoint, unet = self.checkpoint, self.checkpoint.unet
        multiple = checkpoint.cell * 2 ** (len(unet.config.block_out_channels) - 1)
        shrink = self.side / max(image.shape[:2])
        height, width = (max(multiple, round(n * shrink / multiple) * multiple) for n in image.shape[:2])
        seen = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink < 1 else cv2.INTER_CUBIC)
        latents = checkpoint.encode_image(images_to_tensor([seen]))[0]
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)).to(latents)
        alpha_bar = checkpoint.scheduler.alphas_cumprod[TIMESTEP].to(latents)
        noisy = alpha_bar.sqrt() * latents + (1 - alpha_bar).sqrt() * noise
        handle = unet.up_blocks[min(BLOCK, len(unet.up_blocks) - 1)].register_forward_hook(_stop_with_output)
        try:
            mask = torch.zeros_like(latents[:, :1])
            timestep = torch.tensor([TIMESTEP], device=latents.device)
            checkpoint.predict(noisy, mask, latents, timestep, checkpoint.encode_prompt("")[0])
            raise RuntimeError("the UNet ended without passing its decoder")
        except _Reached as reached:
            features = reached.output.float()
        finally:
            handle.remove()
        features = features - features.mean(dim=(2, 3), keepdim=True)
        features = torch.nn.functional.normalize(features, dim=1)
        return features[0].permute(1, 2, 0).contiguous().cpu().numpy()
