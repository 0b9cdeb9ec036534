"""Where a result lies in a dataset: folders, names and class ids, as in DS-MVTec or as in MVTec AD."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from magic_ui.checks import require_choice
from magic_ui.errors import InputError
from magic_ui.instruction.spec import DEFECTS

GOOD = "good"
COMBINED = "combined"
"""Folder of pictures that show several kinds of defect, as MVTec AD names it."""

CLASS_IDS: Mapping[str, int] = {name: number for number, name in enumerate((*DEFECTS, COMBINED), start=1)}
"""The value of a defect's pixels in a class-id mask; 0 is background. The same in every dataset."""

_CLASS_COLORS = (
    (0, 0, 0), (230, 25, 75), (60, 180, 75), (255, 140, 0), (0, 130, 200),
    (145, 30, 180), (240, 230, 40), (70, 240, 240), (240, 50, 230), (170, 255, 195),
    (0, 128, 128), (220, 190, 255), (170, 110, 40), (128, 128, 0), (255, 255, 255),
)  # fmt: skip
_FOLDER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Layout:
    """Paths relative to the dataset's root, as templates of `category`, `defect` and `stem` ("000").

    `mask` holds class ids when `mask_is_ids`, else 0/255.
    """

    name: str
    normal: str
    image: str
    mask: str
    mask_is_ids: bool
    rgb_mask: str | None
    refined_mask: str = "{category}/refined_mask/{defect}/{stem}_mask.png"
    record: str = "{category}/records/{defect}/{stem}.json"

    def paths(self, category: str, defect: str, number: int) -> dict[str, str]:
        """The paths of one result by kind: image, mask, refined_mask, record, rgb_mask (if any)."""
        names = {"category": category, "defect": defect, "stem": f"{number:03d}"}
        kinds = ("image", "mask", "refined_mask", "record", "rgb_mask")
        return {kind: template.format(**names) for kind in kinds if (template := getattr(self, kind))}


DS_MVTEC = Layout(
    name="ds-mvtec",
    normal="{category}/image/good/{stem}.png",
    image="{category}/image/{defect}/{stem}.png",
    mask="{category}/mask/{defect}/{stem}_mask.png",
    mask_is_ids=True,
    rgb_mask="{category}/rgb_mask/{defect}/{stem}_mask.png",
)
MVTEC_AD = Layout(
    name="mvtec-ad",
    normal="{category}/train/good/{stem}.png",
    image="{category}/test/{defect}/{stem}.png",
    mask="{category}/ground_truth/{defect}/{stem}_mask.png",
    mask_is_ids=False,
    rgb_mask=None,
)
LAYOUTS = {layout.name: layout for layout in (DS_MVTEC, MVTEC_AD)}


def layout_named(name: str) -> Layout:
    """The layout called "ds-mvtec" or "mvtec-ad"; raises `InputError` for another name."""
    return LAYOUTS[require_choice("layout", name, LAYOUTS)]


def require_folder_name(field: str, name: str) -> str:
    """Return a name that is safe as a folder: lower-case letters, digits, `_` and `-`, at most 64 characters.

    Raises:
        InputError: anything else, so no path can leave the dataset.
    """
    if not isinstance(name, str) or not _FOLDER_NAME.fullmatch(name):
        raise InputError(field, "use 1 to 64 lower-case letters, digits, _ or - for a folder's name.")
    return name


def defect_folder(specs: Sequence[Mapping[str, Any]]) -> str:
    """The folder of a result: "scratch_head" (defect and place) for one kind of defect, else `COMBINED`.

    Args:
        specs: `DefectSpec.to_dict()` of each defect asked for.
    """
    places = {(spec["defect"], spec.get("part") or spec.get("region")) for spec in specs}
    if not places:
        raise InputError("record", "it names no defect; its specs are empty.")
    if len({defect for defect, _ in places}) > 1:
        return COMBINED
    defect, place = min(places, key=str)
    return require_folder_name("defect", f"{defect}_{place}" if place and len(places) == 1 else defect)


def class_id(specs: Sequence[Mapping[str, Any]]) -> int:
    """The class id of a whole result: its defect's, or that of `COMBINED`."""
    defects = {spec["defect"] for spec in specs}
    return CLASS_IDS.get(defects.pop() if len(defects) == 1 else COMBINED, CLASS_IDS[COMBINED])


def colored(class_ids: np.ndarray) -> np.ndarray:
    """Class ids uint8 `[H, W]` in distinct colors, uint8 `[H, W, 3]`, on black."""
    return np.array(_CLASS_COLORS, dtype=np.uint8)[class_ids]
