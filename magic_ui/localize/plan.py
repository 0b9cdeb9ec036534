"""What localisation hands to the painter: the plan and its targets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magic_ui.instruction import build_prompt
from magic_ui.instruction.spec import DefectSpec

Mask = NDArray[np.bool_]


@dataclass
class Target:
    """One defect to paint.

    ``region`` is where it may lie, ``mask`` what is repainted (True = repaint), both bool [H, W].
    ``prompt`` is empty until the studio writes it for the loaded checkpoint; ``look`` is what it then says, the spec
    with a colour where the words left it open (None: the spec itself). ``before`` is the mask as it lay before
    alignment moved it (None where it did not), ``confidence`` how sure the place is, 0–1.
    """

    spec: DefectSpec
    region: Mask
    mask: Mask
    prompt: str = ""
    before: Mask | None = None
    confidence: float = 1.0
    look: DefectSpec | None = None

    def describe(self, language: str) -> str:
        """The painter's words, ``zh``, ``en`` or ``bilingual``; where the crop was cut from is the mask's business."""
        return build_prompt(replace(self.look or self.spec, region=None), language=language)


@dataclass
class Plan:
    """The whole drawing for one picture: what was understood, where it goes, and why.

    ``image`` is uint8 [H, W, 3] RGB; ``foreground`` the object; ``region`` and ``mask`` the unions over
    ``targets``, all bool [H, W]. ``notes`` are short English sentences that tell what was chosen and why.
    ``options`` holds the JSON-able settings the plan was made with.
    """

    image: NDArray[np.uint8]
    foreground: Mask
    region: Mask
    mask: Mask
    specs: list[DefectSpec]
    notes: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def mask_before(self) -> Mask | None:
        """All targets' masks as they lay before alignment, bool [H, W]; None where nothing was moved."""
        if all(target.before is None for target in self.targets):
            return None
        masks = [target.mask if target.before is None else target.before for target in self.targets]
        return np.logical_or.reduce(masks)

    @property
    def confidence(self) -> float:
        """How sure the least sure place is, 0–1."""
        return min((target.confidence for target in self.targets), default=1.0)
