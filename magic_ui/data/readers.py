"""Datasets on disk → samples: masks matched by name, captions by category, defect and file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magic_ui.data.layout import GOOD
from magic_ui.data.tables import Caption, CaptionKey, read_captions
from magic_ui.errors import InputError
from magic_ui.images import load_image, load_mask

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"))


@dataclass(frozen=True)
class Sample:
    """One picture of a dataset.

    Attributes:
        category: the part ("screw").
        defect: the folder's name ("scratch_head"), "good" for a normal picture.
        stem: the file's name without suffix ("000").
        split: "train" or "test" in MVTec AD, None in DS-MVTec, which has no splits.
        image_path: the picture.
        mask_path: its mask; None for a normal picture.
        rgb_mask_path: its mask in colors, where there is one.
        caption: its description, where there is one.
    """

    category: str
    defect: str
    stem: str
    split: str | None
    image_path: Path
    mask_path: Path | None = None
    rgb_mask_path: Path | None = None
    caption: Caption | None = None

    @property
    def name(self) -> str:
        """What errors and tables call it: "screw/scratch_head/000"."""
        return f"{self.category}/{self.defect}/{self.stem}"

    def load_image(self) -> np.ndarray:
        """The picture, uint8 `[H, W, 3]`."""
        return load_image(self.image_path, field=self.name)

    def load_mask(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """The mask, bool `[H, W]`: class ids and 0/255 alike are true above 0; a normal picture's is empty.

        Args:
            size: (H, W) of the picture when it is known; otherwise the picture is read for it.
        """
        size = self.load_image().shape[:2] if size is None else size  # type: ignore[assignment]
        if self.mask_path is None:
            return np.zeros(size, dtype=bool)
        return load_mask(self.mask_path, size, field=f"{self.name}_mask")


def read_ds_mvtec(
    root: str | Path, categories: Iterable[str] | None = None, *, captions: str | Path | None = None
) -> list[Sample]:
    """Read a DS-MVTec folder, ordered by category, defect and file name.

    Args:
        root: the folder that holds the categories (or one category's own folder).
        categories: those to read; all by default.
        captions: the captions workbook; by default `captions.xlsx` in the root (or beside the category).

    Raises:
        InputError: no such folder or category, a defect picture without its mask, or unreadable captions.
    """
    root = Path(root)
    texts = _captions_of(root, captions)
    samples: list[Sample] = []
    for folder in _category_folders(root, "image", categories):
        colored = next((folder / name for name in ("rgb_mask", "rbg_mask") if (folder / name).is_dir()), None)
        for defect in _subfolders(folder / "image"):
            samples += _read_defect(folder.name, defect, folder / "mask", None, texts, colored)
    return _not_empty(samples)


def read_mvtec_ad(
    root: str | Path, categories: Iterable[str] | None = None, *, captions: str | Path | None = None
) -> list[Sample]:
    """Read an MVTec AD folder, train before test. Arguments and errors as for `read_ds_mvtec`."""
    root = Path(root)
    texts = _captions_of(root, captions)
    samples: list[Sample] = []
    for folder in _category_folders(root, "test", categories):
        for split in ("train", "test"):
            for defect in _subfolders(folder / split):
                samples += _read_defect(folder.name, defect, folder / "ground_truth", split, texts)
    return _not_empty(samples)


def _captions_of(root: Path, captions: str | Path | None) -> dict[CaptionKey, Caption]:
    if captions is not None:
        return read_captions(captions)
    is_category = any((root / marker).is_dir() for marker in ("image", "test"))
    places = (root, root.resolve().parent) if is_category else (root,)
    found = next((path for folder in places if (path := folder / "captions.xlsx").is_file()), None)
    return read_captions(found) if found else {}


def _category_folders(root: Path, marker: str, categories: Iterable[str] | None) -> list[Path]:
    if not root.is_dir():
        raise InputError("dataset", "there is no such folder; give the one that holds the categories.")
    root = root.resolve()
    folders = [root] if (root / marker).is_dir() else [path for path in _subfolders(root) if (path / marker).is_dir()]
    if not folders:
        raise InputError("dataset", f"no folder here holds <category>/{marker}; check the layout.")
    if categories is None:
        return folders
    wanted, present = list(categories), {folder.name: folder for folder in folders}
    missing = [name for name in wanted if name not in present]
    if missing:
        raise InputError("category", f"{missing[0]!r} is not in the dataset, which holds {', '.join(present)}.")
    return [present[name] for name in wanted]


def _read_defect(
    category: str,
    folder: Path,
    masks: Path,
    split: str | None,
    captions: dict[CaptionKey, Caption],
    colored: Path | None = None,
) -> Iterator[Sample]:
    """The samples of one defect's folder; a mask is named like its picture, with or without "_mask"."""
    defect = folder.name
    mask_of = {} if defect == GOOD else _by_stem(masks / defect)
    colored_of = {} if colored is None else _by_stem(colored / defect)
    for stem, image_path in _by_stem(folder).items():
        mask_path = _matching(mask_of, stem)
        if mask_path is None and defect != GOOD:
            raise InputError("dataset", f"{category}/{defect}/{image_path.name} has no mask; add {stem}_mask.png.")
        caption = captions.get(CaptionKey(category, defect, stem))
        yield Sample(category, defect, stem, split, image_path, mask_path, _matching(colored_of, stem), caption)


def _matching(paths: dict[str, Path], stem: str) -> Path | None:
    return paths.get(f"{stem}_mask") or paths.get(stem)


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES}


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _not_empty(samples: list[Sample]) -> list[Sample]:
    if not samples:
        raise InputError("dataset", "the folders hold no pictures.")
    return samples
