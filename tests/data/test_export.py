import csv
import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import openpyxl
import pytest
from PIL import Image

from magic_ui.data.export import read_record, result_files, write_dataset_zip, write_zip
from magic_ui.data.layout import CLASS_IDS, DEFECTS, MVTEC_AD, colored, defect_folder
from magic_ui.data.readers import read_ds_mvtec, read_mvtec_ad
from magic_ui.errors import InputError
from magic_ui.instruction.spec import DefectSpec

MASK_FOLDERS = ("mask", "rgb_mask", "refined_mask")


def make_result(seed, *specs, **record):
    generator = np.random.default_rng(seed)
    mask = np.zeros((64, 80), bool)
    mask[10:20, 30 : 40 + seed] = True
    refined = mask.copy()
    refined[10:12] = False
    specs = specs or (DefectSpec("scratch", part="head", category="screw"),)
    return SimpleNamespace(
        image=Image.fromarray(generator.integers(0, 256, (64, 80, 3), dtype=np.uint8)),
        mask=mask,
        refined_mask=refined,
        weak=False,
        record={
            "specs": [spec.to_dict() for spec in specs],
            "instruction": "在螺丝头部生成一处细划痕",
            "prompt": "on the screw head, a scratch, thin",
            "seed": seed,
            "anomaly_strength": 0.5,
            **record,
        },
    )


def make_plan(result, *specs):
    specs = specs or (DefectSpec("scratch", part="head", category="screw"),)
    targets = [SimpleNamespace(spec=spec, mask=result.mask) for spec in specs]
    image = np.full((64, 80, 3), 90, np.uint8)
    return SimpleNamespace(image=image, mask=result.mask, specs=list(specs), targets=targets)


def unzip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(write, *arguments, **options):
    stream = io.BytesIO()
    write(*arguments, stream, **options)
    return stream.getvalue()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_ds_mvtec_zip():
    results = [make_result(0), make_result(1)]
    plan = make_plan(results[0])
    files = unzip(zipped(write_zip, results, plan))
    assert set(files) == {
        "screw/image/good/000.png",
        *(f"screw/image/scratch_head/00{n}.png" for n in (0, 1)),
        *(f"screw/{kind}/scratch_head/00{n}_mask.png" for kind in ("mask", "rgb_mask", "refined_mask") for n in (0, 1)),
        *(f"screw/records/scratch_head/00{n}.json" for n in (0, 1)),
        "captions.xlsx",
        "manifest.csv",
    }
    assert (pixels(files["screw/image/good/000.png"]) == plan.image).all()
    for n, result in enumerate(results):
        name = f"scratch_head/00{n}"
        assert (pixels(files[f"screw/image/{name}.png"]) == np.asarray(result.image)).all()
        assert (pixels(files[f"screw/mask/{name}_mask.png"]) == result.mask * CLASS_IDS["scratch"]).all()
        assert (pixels(files[f"screw/refined_mask/{name}_mask.png"]) == result.refined_mask * 255).all()
        assert (pixels(files[f"screw/rgb_mask/{name}_mask.png"]).any(axis=2) == result.mask).all()
        assert json.loads(files[f"screw/records/{name}.json"]) == result.record
        assert read_record(files[f"screw/image/{name}.png"]) == result.record


def test_tables():
    files = unzip(zipped(write_zip, [make_result(0), make_result(1)], make_plan(make_result(0))))
    rows = list(openpyxl.load_workbook(io.BytesIO(files["captions.xlsx"])).worksheets[0].iter_rows(values_only=True))
    assert rows[0] == ("Path", "object description", "defect description")
    assert rows[2] == ("screw/scratch_head/001.png", "A screw.", "on the screw head, a scratch, thin")
    manifest = list(csv.DictReader(io.StringIO(files["manifest.csv"].decode("utf-8"))))
    assert [row["image"] for row in manifest] == [f"screw/image/scratch_head/00{n}.png" for n in (0, 1)]
    assert all(row[kind] in files for row in manifest for kind in ("image", "mask", "refined_mask", "record"))
    assert (manifest[1]["seed"], manifest[1]["anomaly_strength"], manifest[1]["class_id"]) == (
        "1",
        "0.5",
        "1",
    )
    assert manifest[0]["instruction"] == "在螺丝头部生成一处细划痕"


def test_mvtec_ad_zip():
    result = make_result(0)
    files = unzip(zipped(write_zip, [result], make_plan(result), layout="mvtec-ad"))
    assert "screw/train/good/000.png" in files
    assert (pixels(files["screw/ground_truth/scratch_head/000_mask.png"]) == result.mask * 255).all()
    assert "screw/test/scratch_head/000.png" in files
    assert not any("rgb_mask" in name for name in files)


@pytest.mark.parametrize("layout, read", [("ds-mvtec", read_ds_mvtec), ("mvtec-ad", read_mvtec_ad)])
def test_what_is_written_is_read_again(tmp_path, layout, read):
    results = [make_result(0), make_result(3), make_result(2, DefectSpec("crack", region="top_left"))]
    file = tmp_path / "set.zip"
    write_dataset_zip(results, file, category="screw", normal=np.zeros((64, 80, 3), np.uint8), layout=layout)
    zipfile.ZipFile(file).extractall(tmp_path / "set")
    samples = {sample.name: sample for sample in read(tmp_path / "set")}
    assert set(samples) == {
        "screw/good/000",
        "screw/scratch_head/000",
        "screw/scratch_head/001",
        "screw/crack_top_left/000",
    }
    sample = samples["screw/scratch_head/001"]
    assert (sample.load_image() == np.asarray(results[1].image)).all()
    assert (sample.load_mask() == results[1].mask).all()
    assert sample.caption.defect_description == "on the screw head, a scratch, thin"


def test_equal_results_give_equal_bytes():
    first, second = (zipped(write_zip, [make_result(0)], make_plan(make_result(0))) for _ in range(2))
    assert first == second


def test_several_defects_share_a_picture():
    specs = (DefectSpec("scratch", part="head", category="screw"), DefectSpec("corrosion", part="thread"))
    result = make_result(0, *specs)
    plan = make_plan(result, *specs)
    plan.targets[0].mask = result.mask & (np.arange(80) < 35)
    plan.targets[1].mask = result.mask & (np.arange(80) >= 35)
    files = unzip(zipped(write_zip, [result], plan))
    ids = pixels(files["screw/mask/combined/000_mask.png"])
    assert (ids[plan.targets[0].mask] == CLASS_IDS["scratch"]).all()
    assert (ids[plan.targets[1].mask] == CLASS_IDS["corrosion"]).all()
    assert ((ids > 0) == result.mask).all()


@pytest.mark.parametrize(
    "specs, folder",
    [
        ([DefectSpec("scratch")], "scratch"),
        ([DefectSpec("scratch", part="head", region="top")], "scratch_head"),
        ([DefectSpec("dent", region="bottom_left")], "dent_bottom_left"),
        ([DefectSpec("dent", region="top"), DefectSpec("dent", part="head")], "dent"),
        ([DefectSpec("dent"), DefectSpec("crack")], "combined"),
    ],
)
def test_defect_folder(specs, folder):
    assert defect_folder([spec.to_dict() for spec in specs]) == folder


def test_class_ids_and_colors_are_distinct():
    assert sorted(CLASS_IDS.values()) == list(range(1, len(DEFECTS) + 2))
    colors = colored(np.arange(len(DEFECTS) + 2, dtype=np.uint8)[None])
    assert len(np.unique(colors[0], axis=0)) == len(DEFECTS) + 2
    assert (colors[0, 0] == 0).all()


def test_spreadsheets_run_nothing():
    formula = '=HYPERLINK("http://example.com")\x07'
    result = make_result(0, instruction=formula, prompt=formula)
    files = unzip(zipped(write_zip, [result], make_plan(result)))
    cell = openpyxl.load_workbook(io.BytesIO(files["captions.xlsx"])).worksheets[0].cell(2, 3)
    assert cell.data_type == "s" and cell.value.startswith("=HYPERLINK")
    row = next(csv.DictReader(io.StringIO(files["manifest.csv"].decode("utf-8"))))
    assert row["instruction"].startswith("'=") and "\x07" not in row["instruction"]


@pytest.mark.parametrize("category", ["", "..", "../x", "a/b", "Screw", "x" * 65, "螺丝", "a\0", None, ".hidden"])
def test_category_is_no_path(category):
    with pytest.raises(InputError, match=r"^category: "):
        write_dataset_zip([make_result(0)], io.BytesIO(), category=category)


def test_hostile_record_is_no_path():
    result = make_result(0)
    result.record["specs"][0]["part"] = "../../etc"
    with pytest.raises(InputError, match=r"^defect: "):
        result_files(result, 0, category="screw", layout=MVTEC_AD)


def test_nothing_to_write_and_unknown_layout():
    with pytest.raises(InputError, match=r"^results: "):
        write_dataset_zip([], io.BytesIO(), category="screw")
    with pytest.raises(InputError, match=r"ds-mvtec, mvtec-ad"):
        write_dataset_zip([make_result(0)], io.BytesIO(), category="screw", layout="coco")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    def broken():
        yield make_result(0)
        raise OSError(28, "No space left on device")

    file = tmp_path / "set.zip"
    file.write_bytes(b"before")
    with pytest.raises(InputError, match="No space left") as caught:
        write_dataset_zip(broken(), file, category="screw")
    assert str(tmp_path) not in str(caught.value)
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(InputError, match=r"^output: "):
        write_dataset_zip([make_result(0)], tmp_path / "missing" / "set.zip", category="screw")
    write_dataset_zip([make_result(0)], file, category="screw")
    assert zipfile.is_zipfile(file)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"x" * 100])
def test_no_record(data):
    with pytest.raises(InputError, match=r"^record: "):
        read_record(data)
