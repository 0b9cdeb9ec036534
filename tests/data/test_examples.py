"""The tiny rendered DS-MVTec in examples/ reads like the published one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magic_ui import parse_instruction
from magic_ui.data.readers import read_ds_mvtec
from magic_ui.localize import make_plan

ROOT = Path(__file__).parents[2] / "examples" / "ds-mvtec"


@pytest.fixture(scope="module")
def samples():
    return read_ds_mvtec(ROOT)


def test_every_defective_part_has_its_normal_twin_mask_and_words(samples):
    normal = {(s.category, s.stem): s for s in samples if s.mask_path is None}
    defective = [s for s in samples if s.mask_path is not None]
    assert len(normal) == len(defective) == 12
    for sample in defective:
        twin, mask = normal[sample.category, sample.stem].load_image(), sample.load_mask()
        change = np.abs(sample.load_image().astype(int) - twin).mean(axis=2)
        assert mask.any() and change[mask].mean() > 4 * change[~mask].mean(), sample.name
        assert sample.caption is not None
        specs = parse_instruction(sample.caption.defect_description)
        assert [spec.defect for spec in specs] == [sample.defect], sample.name


def test_a_caption_leads_to_its_defect_on_most_parts(samples):
    found = []
    for sample in (s for s in samples if s.mask_path is not None):
        specs = parse_instruction(sample.caption.defect_description)
        plan = make_plan(sample.load_image(), specs, mask_source="band", mask_shape="region")
        mask = sample.load_mask()
        found.append((plan.region & mask).sum() >= 0.5 * mask.sum())
    assert np.mean(found) >= 0.8
