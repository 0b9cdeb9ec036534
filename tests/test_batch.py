import json

import numpy as np
import pytest
from PIL import Image

from magic_ui import DefectStudio, InputError
from magic_ui.batch import JOURNAL, checkpoint_of, matched_masks, plan_jobs, read_defects, run_jobs
from magic_ui.data.readers import read_ds_mvtec
from tests.tiny import save_tiny_checkpoint

SETTINGS = {"num_inference_steps": 2}


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = save_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), conditioning="normal")
    return DefectStudio.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two normal plates, one defect folder, as DS-MVTec."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for path, kind in (("image/good/000", "RGB"), ("image/good/001", "RGB"), ("image/scratch_head/000", "RGB")):
        pixels = np.full((96, 96, 3), 210.0)
        pixels[20:76, 16:80] = 110
        pixels += generator.normal(0, 3, pixels.shape)
        save(folder / "metal_plate" / f"{path}.png", np.clip(pixels, 0, 255).astype(np.uint8), kind)
    mask = np.zeros((96, 96), np.uint8)
    mask[30:34, 30:60] = 2
    save(folder / "metal_plate/mask/scratch_head/000_mask.png", mask, "L")
    return folder


def save(path, pixels, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path)


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_jobs_are_every_defect_on_every_normal_part(root):
    defects = {"metal_plate": {"scratch": None, "rust": "severe rust on the left"}}
    jobs = plan_jobs(root, defects=defects)
    assert [(j.folder, j.number, j.image.stem) for j in jobs] == [
        ("scratch", 0, "000"),
        ("scratch", 1, "001"),
        ("corrosion_left", 0, "000"),
        ("corrosion_left", 1, "001"),
    ]
    assert [j.instruction for j in plan_jobs(root, limit=1)] == ["scratch head on the metal plate"]
    assert plan_jobs(root, prompt="两处{defect}", defects={"metal_plate": {"划痕": None}})[0].specs[0].count == 2
    assert len({job.seed(0) for job in jobs}) == 4 and jobs[0].seed(0) != jobs[0].seed(1)


def test_a_folder_that_names_only_a_place_is_damage_there(root):
    (job, _) = plan_jobs(root, defects={"metal_plate": {"thread_side": None}})
    assert job.specs[0].part == "thread" and job.specs[0].defect == "wear"


def test_an_interrupted_run_goes_on_with_nothing_lost_or_doubled(root, studio, tmp_path):
    jobs = plan_jobs(root, defects={"metal_plate": {"scratch": None, "dent": None}})

    def stop_after_two(finished, _all):
        if finished == 2:
            raise KeyboardInterrupt

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run_jobs(jobs, lambda _: studio, whole, settings=SETTINGS, seed=3) == 4
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, lambda _: studio, broken, settings=SETTINGS, seed=3, report=stop_after_two)
    with (broken / JOURNAL).open("a") as journal:
        journal.write('{"key": "metal_plate/den')  # cut off in mid-line
    assert run_jobs(jobs, lambda _: studio, broken, settings=SETTINGS, seed=3) == 2
    assert files(whole) == files(broken)
    assert run_jobs(jobs, lambda _: studio, broken, settings=SETTINGS, seed=3) == 0


def test_the_new_dataset_reads_back_and_only_masks_changed(root, studio, tmp_path):
    run_jobs(plan_jobs(root, limit=1), lambda _: studio, tmp_path, settings=SETTINGS, strengths=(0.7, 0.9))
    (sample,) = read_ds_mvtec(tmp_path)
    assert sample.caption is not None and "scratch" in sample.caption.defect_description
    normal = np.asarray(Image.open(root / "metal_plate/image/good/000.png"))
    mask = sample.load_mask()
    assert mask.any() and np.array_equal(sample.load_image()[~mask], normal[~mask])
    record = json.loads((tmp_path / "metal_plate/records" / sample.defect / "000.json").read_text())
    assert 0.7 <= record["anomaly_strength"] <= 0.9


def test_foregrounds_are_taken_from_their_folder(root, studio, tmp_path):
    foreground = np.zeros((96, 96), np.uint8)
    foreground[50:70, 20:40] = 255
    for folder in (tmp_path / "fg", tmp_path / "by_category" / "metal_plate"):
        save(folder / "000_mask.png", foreground, "L")
        normal_masks = tmp_path / folder.relative_to(tmp_path).parts[0]
        output = tmp_path / f"out_{folder.name}"
        jobs = plan_jobs(root, defects={"metal_plate": {"stain": None}}, limit=1)
        run_jobs(jobs, lambda _: studio, output, normal_masks=normal_masks, settings=SETTINGS)
        (sample,) = read_ds_mvtec(output)
        assert not (sample.load_mask() & (foreground == 0)).any()
    with pytest.raises(InputError, match=r"001_mask\.png"):
        run_jobs(plan_jobs(root), lambda _: studio, tmp_path / "x", normal_masks=tmp_path / "fg", settings=SETTINGS)


def test_mvtec_ad_paints_the_training_pictures(root, tmp_path):
    for source, target in (("image/good/000", "train/good/000"), ("image/good/001", "test/good/000")):
        pixels = np.asarray(Image.open(root / f"metal_plate/{source}.png"))
        save(tmp_path / f"metal_plate/{target}.png", pixels, "RGB")
    jobs = plan_jobs(tmp_path, dataset_type="mvtec", defects={"metal_plate": {"dent": None}})
    assert [job.image.parent.parent.name for job in jobs] == ["train"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"screw": ["dent", "crack"]}', {"screw": {"dent": None, "crack": None}}),
        ('{"screw": {"dent": "a dent"}}', {"screw": {"dent": "a dent"}}),
        ('{"screw": {"dent": 1}}', {"screw": {"dent": None}}),
        ('{"screw": {"dent": {"prompt": "a dent", "class_val": 0}}}', {"screw": {"dent": "a dent"}}),
    ],
)
def test_the_forms_of_a_defect_file(tmp_path, text, read):
    (tmp_path / "d.json").write_text(text)
    assert read_defects(tmp_path / "d.json") == read


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"screw": 3}', '{"screw": []}', '{"screw": [1]}'])
def test_a_bad_defect_file_is_named(tmp_path, text):
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(InputError, match=r"defect_json.*d\.json"):
        read_defects(tmp_path / "d.json")


def test_precomputed_matches_move_the_datasets_own_masks(root, studio, tmp_path):
    entry = {"normal_img": "001.png", "defect_img": "000.png", "region_idx": 0, "best_x": 240, "best_y": 300}
    path = tmp_path / "matching_result.json"
    path.write_text(json.dumps({"metal_plate": {"scratch_head": [entry]}}))
    jobs = plan_jobs(root)
    masks = matched_masks(path, root)
    assert [job.defect for job in jobs] == ["scratch_head"] * 2
    assert masks(jobs[0], 0) is None
    moved = masks(jobs[1], 0)
    rows, cols = np.nonzero(moved)
    assert abs(cols.mean() - 48) < 2 and abs(rows.mean() - 60) < 2
    run_jobs(jobs, lambda _: studio, tmp_path / "out", masks=masks, settings=SETTINGS)
    painted = [s for s in read_ds_mvtec(tmp_path / "out") if s.defect != "good"]
    assert np.array_equal(painted[1].load_mask(), moved) and not np.array_equal(painted[0].load_mask(), moved)
    path.write_text(json.dumps({"metal_plate": {"scratch_head": [entry | {"defect_img": "007.png"}]}}))
    with pytest.raises(InputError, match=r"007\.png"):
        matched_masks(path, root)(jobs[1], 0)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("dataset_type", {"dataset_type": "coco"}),
        ("category", {"categories": ["gear"]}),
        ("limit", {"limit": 0}),
        ("defect_json", {"defects": {"gear": {"dent": None}}}),
        ("defect_json", {"defects": {"metal_plate": {"flower": "a flower"}}}),
        ("dataset", {"dataset_type": "mvtec"}),
    ],
)
def test_what_cannot_be_planned_is_named(root, field, options):
    with pytest.raises(InputError, match=field):
        plan_jobs(root, **options)


def test_a_checkpoint_for_each_category_or_one_for_all(tmp_path):
    with pytest.raises(InputError, match="model_ckpt_root"):
        checkpoint_of(tmp_path, "screw")
    (tmp_path / "model_index.json").write_text("{}")
    assert checkpoint_of(tmp_path, "screw") == tmp_path
    (tmp_path / "screw").mkdir()
    (tmp_path / "screw/model_index.json").write_text("{}")
    assert checkpoint_of(tmp_path, "screw") == tmp_path / "screw"


def test_strengths_out_of_order_and_an_unwritable_place_are_refused(root, studio, tmp_path):
    jobs = plan_jobs(root, limit=1)
    with pytest.raises(InputError, match="anomaly_strength_max"):
        run_jobs(jobs, lambda _: studio, tmp_path, strengths=(0.8, 0.2))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="output"):
        run_jobs(jobs, lambda _: studio, tmp_path / "file" / "below", settings=SETTINGS)
