"""V2: a phrase finds its place by a text-image model. The interface stands; the model comes later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from magic_ui.errors import InputError


class TextLocator:
    """Locates phrases with a CLIPSeg checkpoint: ``clipseg-tiny`` or ``CIDAS/clipseg-rd64-refined``."""

    def __init__(self, name_or_folder: str = "clipseg-tiny") -> None:
        self.name = name_or_folder

    def locate(self, image: NDArray[np.uint8], phrases: Sequence[str]) -> NDArray[np.float32]:
        """Probability that each pixel is what the phrases name, averaged over them: float32 [H, W] in 0..1.

        ``image`` is uint8 [H, W, 3] RGB. Raises ``InputError``: not part of this version.
        """
        raise InputError("mask_source", '"clipseg" is not available yet; use "auto" or "band".')
