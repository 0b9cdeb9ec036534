"""Aligning in bulk: every picture is looked at once, whatever the number of pairs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from magic_ui.localize.foreground import segment_foreground
from magic_ui.localize.matches import Match
from magic_ui.localize.matching import (
    GRID,
    FeatureMap,
    Features,
    match_as_published,
    on_grid,
    pieces_on_grid,
    published_target,
)
from magic_ui.localize.transfer import Reference, Transfer, transfer_mask

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Look:
    """A picture, uint8 [H, W, 3], its foreground, its features where they are wanted, and its defect's mask if any."""

    image: NDArray[np.uint8]
    foreground: Mask
    features: FeatureMap | None
    mask: Mask | None = None


class Matcher:
    """Moves masks from defective pictures to normal ones, by our way ("ours") or MAGIC's ("published")."""

    def __init__(self, method: str, features: Features | None) -> None:
        self.method, self.features = method, features

    def reference(self, image: NDArray[np.uint8], mask: Mask, category: str | None = None) -> Look:
        """Look at a defective picture and its defect's mask, bool [H, W]."""
        return self._look(image, mask, category)

    def target(self, image: NDArray[np.uint8], category: str | None = None) -> Look:
        """Look at a normal picture."""
        return self._look(image, None, category)

    def move(self, reference: Look, target: Look, *, may_leave: bool = False) -> Transfer:
        """The reference's mask on the target."""
        assert reference.mask is not None
        if self.method == "published":
            assert reference.features is not None and target.features is not None
            grid = match_as_published(
                reference.features, reference.mask, target.features, target.foreground, may_leave=may_leave
            )
            moved = cv2.resize(grid.astype(np.uint8), target.foreground.shape[::-1], interpolation=cv2.INTER_NEAREST)
            return Transfer(moved > 0, 0.5, ["The mask was moved as MAGIC published it: it tells no confidence."])
        features: Features | None = None
        if reference.features is not None and target.features is not None:
            known = {id(reference.image): reference.features, id(target.image): target.features}
            features = lambda image: known[id(image)]  # noqa: E731
        return transfer_mask(
            Reference(reference.image, reference.mask, reference.foreground),
            target.image,
            target.foreground,
            features=features,
            may_leave=may_leave,
        )

    def match(self, reference: Look, target: Look, normal_name: str, defect_name: str) -> list[Match]:
        """Where each large piece of the reference's mask belongs on the target, in the published format."""
        assert reference.mask is not None
        matches = []
        ground = on_grid(target.foreground)
        for number, piece in pieces_on_grid(reference.mask).items():
            if self.method == "published":
                assert reference.features is not None and target.features is not None
                place = published_target(reference.features, piece, target.features, ground)
            else:
                own = cv2.resize(piece.astype(np.uint8), reference.mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
                look = Look(reference.image, reference.foreground, reference.features, own > 0)
                rows, cols = np.nonzero(self.move(look, target, may_leave=True).mask)
                share = np.array([cols.mean(), rows.mean()]) + 0.5
                x, y = (share / target.foreground.shape[::-1] * GRID).astype(int).clip(0, GRID - 1)
                place = int(x), int(y)
            if place is not None:
                matches.append(Match(normal_name, defect_name, number, *place))
        return matches

    def _look(self, image: NDArray[np.uint8], mask: Mask | None, category: str | None) -> Look:
        features = self.features(image) if self.features is not None else None
        return Look(image, segment_foreground(image, category=category).mask, features, mask)


def move_mask(
    defective: NDArray[np.uint8],
    mask: Mask,
    normal: NDArray[np.uint8],
    *,
    method: str = "ours",
    features: Features | None = None,
    may_leave: bool = False,
) -> Transfer:
    """One mask from one picture to another; see :class:`Matcher`."""
    matcher = Matcher(method, features)
    return matcher.move(matcher.reference(defective, mask), matcher.target(normal), may_leave=may_leave)
