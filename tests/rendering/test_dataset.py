import numpy as np
import pytest
from PIL import Image

from magic_ui.data.layout import CLASS_IDS
from magic_ui.data.readers import read_ds_mvtec
from magic_ui.data.tables import read_captions
from magic_ui.rendering import dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    output = tmp_path_factory.mktemp("rendered")
    dataset.render_dataset(output, 3, 5, size=64, spp=2, workers=1, categories=("washer", "tile"))
    return output


def test_reads_back_as_ds_mvtec_with_captions(root):
    samples = [s for s in read_ds_mvtec(root, captions=root / "captions.xlsx") if s.defect != "good"]
    assert len(samples) == 3 and {s.category for s in samples} == {"washer", "tile"}
    for key, caption in read_captions(root / "captions.xlsx").items():
        assert key.defect in caption.defect_description


def test_twins_differ_inside_the_mask_and_hardly_outside(root):
    for path in root.glob("*/mask/*/*.png"):
        category, defect, stem = path.parts[-4], path.parts[-2], path.stem.removesuffix("_mask")
        ids = np.asarray(Image.open(path))
        assert set(np.unique(ids)) == {0, CLASS_IDS[defect]}
        normal, defective = (
            np.asarray(Image.open(root / category / "image" / kind / f"{stem}.png")).astype(int)
            for kind in ("good", defect)
        )
        change = np.abs(defective - normal).mean(-1)
        assert change[ids > 0].mean() > 4 and change[ids > 0].mean() > 8 * change[ids == 0].mean()
        parts = np.asarray(Image.open(root / category / "part_map" / "good" / f"{stem}.png"))
        foreground = np.asarray(Image.open(root / category / "foreground" / "good" / f"{stem}.png")) > 0
        assert ((parts > 0) >= (ids > 0)).mean() > 0.99 and (parts[foreground] > 0).mean() > 0.95


def test_an_interrupted_run_goes_on_and_ends_the_same(root, tmp_path):
    dataset.render_dataset(tmp_path, 1, 5, size=64, spp=2, workers=1, categories=("washer", "tile"))
    kept = next(tmp_path.glob("*/records/*/*.json")).stat().st_mtime_ns
    dataset.render_dataset(tmp_path, 3, 5, size=64, spp=2, workers=1, categories=("washer", "tile"))
    assert next(tmp_path.glob("*/records/*/000.json")).stat().st_mtime_ns == kept
    files = {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*.*")) if p.is_file()}
    assert files == {p.relative_to(tmp_path): p.read_bytes() for p in sorted(tmp_path.rglob("*.*")) if p.is_file()}
