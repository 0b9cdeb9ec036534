import json

import numpy as np
import pytest
import torch

from magic_ui import DefectStudio, InputError
from magic_ui.data.readers import Sample
from magic_ui.evaluation import downstream, segmenter
from magic_ui.evaluation.command import run_downstream
from magic_ui.evaluation.features import load_vgg
from magic_ui.evaluation.precision import average_precision
from magic_ui.evaluation.segmenter import NormalMemory, UNet, defect_map, shrink, train_segmenter
from magic_ui.evaluation.synthetic import Picture, place_defects, read_samples
from tests.tiny import save_tiny_checkpoint, save_tiny_dataset


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(save_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), conditioning="normal"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return save_tiny_dataset(tmp_path_factory.mktemp("dataset"), pictures=6, normals=5)


def spotted(generator, *, defective):
    image = generator.normal(120, 6, (128, 128, 1)).repeat(3, axis=2)
    mask = np.zeros((128, 128), bool)
    if defective:
        y, x = generator.integers(10, 100, 2)
        mask[y : y + 14, x : x + 14] = True
        image[mask] += 70
    return Picture(np.clip(image, 0, 255).astype(np.uint8), mask, "spot")


def test_the_segmenter_learns_what_it_is_shown(generator, monkeypatch):
    monkeypatch.setattr(segmenter, "CROP", 64)
    torch.set_num_threads(1)
    train = [spotted(generator, defective=True) for _ in range(6)]
    normals = [spotted(generator, defective=False).image for _ in range(3)]
    model = train_segmenter(train, normals, 0, steps=40)
    test = spotted(generator, defective=True)
    assert average_precision(defect_map(model, test.image), test.mask) > 0.9
    again = train_segmenter(train, normals, 0, steps=40)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_the_segmenter_takes_any_multiple_of_eight():
    assert UNet()(torch.zeros(1, 3, 40, 64)).shape == (1, 1, 40, 64)
    assert shrink(np.zeros((1000, 700, 3), np.uint8)).shape == (512, 360, 3)
    assert shrink(np.ones((100, 100), bool)).all()


def test_what_is_far_from_all_normal_pictures_stands_out(generator):
    memory = NormalMemory(load_vgg(), [spotted(generator, defective=False).image for _ in range(2)], size=400)
    test = spotted(generator, defective=True)
    distances = memory(test.image)
    assert distances.shape == (128, 128)
    assert average_precision(distances, test.mask) > 5 * test.mask.mean()


def test_uses_do_not_overlap_and_the_last_normals_test(dataset):
    split = downstream.split_real(dataset, 0.5)
    names = [[s.name for s in part] for part in (split.training, split.test, split.normals, split.test_normals)]
    assert sum(map(len, names)) == len(set().union(*names)) == 17
    assert names[1] == [f"screw/{d}/{n:03d}" for d in ("dent", "scratch_head") for n in (3, 4, 5)]
    assert names[3] == ["screw/good/004"]
    with pytest.raises(InputError, match="real"):
        downstream.split_real(dataset, 1)


def test_no_test_picture_reaches_what_paints(dataset, checkpoint, tmp_path, monkeypatch):
    split, read = downstream.split_real(dataset, 0.5), []
    load = Sample.load_image
    monkeypatch.setattr(Sample, "load_image", lambda self: (read.append(self.name), load(self))[1])
    studio = DefectStudio.from_pretrained(checkpoint)
    placements = place_defects(studio, split.training, split.normals, 3, tmp_path)
    list(read_samples(split.training))
    assert read and not set(read) & {s.name for s in split.test}
    assert {p.normal for p in placements} <= {s.image_path for s in split.normals}
    assert [p.defect for p in placements] == ["dent", "scratch_head"] * 3
    assert all(p.mask.any() for p in placements)
    resumed = place_defects(studio, split.training, split.normals, 3, tmp_path)
    assert all((a.mask == b.mask).all() for a, b in zip(placements, resumed, strict=True))


def test_one_command_prints_the_table_and_writes_the_report(dataset, checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(segmenter, "SIDE", 96)
    monkeypatch.setattr(segmenter, "CROP", 32)
    monkeypatch.setattr(downstream, "STEPS", 5)
    monkeypatch.setattr(downstream, "CLASSIFIER_STEPS", 5)
    monkeypatch.setattr(
        "magic_ui.evaluation.command.DownstreamSettings",
        lambda **values: downstream.DownstreamSettings(**values, steps=5),
    )
    run_downstream(
        real=dataset, checkpoint=checkpoint, output=tmp_path, per_class=4, seeds=2, train_share=0.5, before=checkpoint
    )
    printed = capsys.readouterr().out
    for name in ("ours", "CutPaste", "NSA", "DRAEM", "real training defects", "none (nearest normal features)"):
        assert f"pixel AP, {name}" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert {len(runs) for name, runs in report["details"]["downstream"].items() if "none" not in name} == {2}
    assert {len(shares) for shares in report["details"]["classification"].values()} == {20}
    page = (tmp_path / "report.html").read_text()
    kid = report["details"]["kid_real"]
    assert kid["before fine-tuning"] == kid["ours"]  # the same checkpoint
    assert report["details"]["kid_nearer_than"]["before fine-tuning"] == {"mean": 0, "error": 0}
    assert "Pixel AP on unseen real defects" in page and "data:image/jpeg" in page
    with pytest.raises(InputError, match="per_class"):
        run_downstream(real=dataset, checkpoint=checkpoint, output=tmp_path, per_class=0)
    alone = run_downstream(
        real=dataset, checkpoint=checkpoint, output=tmp_path, per_class=4, seeds=1, train_share=0.5, rivals=False
    )
    assert list(alone.details["downstream"]) == list(alone.details["kid_real"]) == ["ours"]
    assert not any("CutPaste" in row.name for row in alone.rows)


def test_masks_that_are_not_aligned_stay_at_their_own_coordinates(dataset, checkpoint, tmp_path):
    split = downstream.split_real(dataset, 0.5)
    studio = DefectStudio.from_pretrained(checkpoint)
    own = [s.load_mask() for s in split.training]
    placed = place_defects(studio, split.training, split.normals, 2, tmp_path, align=False)
    for place in placed:  # on the object, so a part of it may be cut off
        assert any((place.mask <= mask).all() and place.mask.any() for mask in own)
