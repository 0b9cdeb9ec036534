import io
import zipfile

import numpy as np
import openpyxl
import pytest
from PIL import Image

from magic_ui.data import tables
from magic_ui.data.readers import read_ds_mvtec, read_mvtec_ad
from magic_ui.data.tables import CaptionKey, read_captions, write_captions
from magic_ui.errors import InputError


def save(path, value=0, shape=(64, 72), box=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full(shape, 30, np.uint8)
    if box is not None:
        array = np.zeros(shape, np.uint8)
        array[box] = value
    Image.fromarray(array).save(path)


def workbook(path, *rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)
    return path


BOX = (slice(5, 15), slice(20, 30))


@pytest.fixture
def ds_mvtec(tmp_path):
    for stem in ("000", "001"):
        save(tmp_path / "screw" / "image" / "good" / f"{stem}.png")
        for number, defect in enumerate(("scratch_head", "thread_top"), start=1):
            save(tmp_path / "screw" / "image" / defect / f"{stem}.png")
            save(tmp_path / "screw" / "mask" / defect / f"{stem}_mask.png", number, box=BOX)
            save(tmp_path / "screw" / "rbg_mask" / defect / f"{stem}_mask.png", 200, box=BOX)
    save(tmp_path / "tile" / "image" / "crack" / "000.png")
    save(tmp_path / "tile" / "mask" / "crack" / "000_mask.png", 255, box=BOX)
    workbook(
        tmp_path / "captions.xlsx",
        ("Path", "object description", "defect description"),
        ("screw/scratch_head/000.png", "A screw.", "The head has a line."),
        ("screw/thread_top/000.png", "A screw.", "The top is worn."),
        ("tile/crack/000.png", "A tile. ", None),
    )
    return tmp_path


def test_ds_mvtec(ds_mvtec):
    samples = {sample.name: sample for sample in read_ds_mvtec(ds_mvtec)}
    assert len(samples) == 7
    normal = samples["screw/good/000"]
    assert (normal.mask_path, normal.caption, normal.split) == (None, None, None)
    assert normal.load_mask().shape == (64, 72) and not normal.load_mask().any()
    assert samples["screw/scratch_head/000"].caption.defect_description == "The head has a line."
    assert samples["screw/thread_top/000"].caption.defect_description == "The top is worn."
    assert samples["tile/crack/000"].caption == ("A tile.", "")
    assert samples["screw/thread_top/001"].caption is None
    assert samples["screw/scratch_head/001"].rgb_mask_path.parts[-3] == "rbg_mask"
    for name in ("screw/scratch_head/000", "screw/thread_top/001", "tile/crack/000"):
        mask = samples[name].load_mask((64, 72))
        assert mask[BOX].all() and mask.sum() == 100


def test_pairs_are_matched_by_name_not_by_order(ds_mvtec):
    for stem, row in (("0005", 30), ("zz", 40)):
        save(ds_mvtec / "screw" / "image" / "scratch_head" / f"{stem}.png")
        save(ds_mvtec / "screw" / "mask" / "scratch_head" / f"{stem}_mask.png", 1, box=(row, slice(0, 9)))
    save(ds_mvtec / "screw" / "mask" / "scratch_head" / "0001_mask.png", 1, box=(0, 0))  # without a picture
    samples = {sample.name: sample for sample in read_ds_mvtec(ds_mvtec, ["screw"])}
    assert samples["screw/scratch_head/0005"].load_mask()[30].any()
    assert samples["screw/scratch_head/zz"].load_mask()[40].any()
    assert "screw/scratch_head/0001" not in samples


def test_one_category(ds_mvtec):
    assert {sample.category for sample in read_ds_mvtec(ds_mvtec, ["tile"])} == {"tile"}
    own = read_ds_mvtec(ds_mvtec / "screw")
    assert {sample.category for sample in own} == {"screw"}
    assert any(sample.caption for sample in own)
    with pytest.raises(InputError, match="'wood' is not in the dataset, which holds screw, tile"):
        read_ds_mvtec(ds_mvtec, ["wood"])


def test_missing_mask_is_named(ds_mvtec):
    (ds_mvtec / "screw" / "mask" / "thread_top" / "001_mask.png").unlink()
    with pytest.raises(InputError, match=r"screw/thread_top/001\.png has no mask; add 001_mask\.png"):
        read_ds_mvtec(ds_mvtec)


def test_mask_of_another_size(ds_mvtec):
    save(ds_mvtec / "tile" / "mask" / "crack" / "000_mask.png", 1, shape=(70, 70), box=BOX)
    with pytest.raises(InputError, match=r"^tile/crack/000_mask: .*70 x 70"):
        read_ds_mvtec(ds_mvtec, ["tile"])[0].load_mask()


def test_mvtec_ad(tmp_path):
    save(tmp_path / "screw" / "train" / "good" / "000.png")
    save(tmp_path / "screw" / "test" / "good" / "000.png")
    save(tmp_path / "screw" / "test" / "scratch_head" / "000.png")
    save(tmp_path / "screw" / "ground_truth" / "scratch_head" / "000_mask.png", 255, box=BOX)
    samples = read_mvtec_ad(tmp_path)
    assert [(sample.split, sample.defect) for sample in samples] == [
        ("train", "good"),
        ("test", "good"),
        ("test", "scratch_head"),
    ]
    assert samples[2].load_mask().sum() == 100


@pytest.mark.parametrize("read", [read_ds_mvtec, read_mvtec_ad])
def test_no_dataset(tmp_path, read):
    for root in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match=r"^dataset: ") as caught:
            read(root)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        ("Path", "object description", "defect description"),
        ("path", "Object_Description", "Defect Description "),
        ("filename", "object", "caption"),
        ("File_Name", "", "CAPTION"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "DS-MVTec/", "./"])
def test_caption_headers_and_paths(tmp_path, header, prefix):
    rows = [(f"{prefix}screw/scratch_head/000.png", "A screw.", " A  line.\n"), ("", None, None), (None,) * 3]
    rows.append((f"{prefix}screw\\image\\scratch_head\\001.png", "A screw.", 7))
    captions = read_captions(workbook(tmp_path / "c.xlsx", header, *rows))
    assert [caption.defect_description for caption in captions.values()] == ["A line.", "7"]
    assert list(captions) == [CaptionKey("screw", "scratch_head", stem) for stem in ("000", "001")]


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], "columns are none"),
        ([("name", "words")], "columns are name, words"),
        ([("Path", "caption"), ("000.png", "a")], "row 2 does not name category/defect/file"),
        ([("Path", "caption"), ("a/../b/c/000.png", "a")], "row 2 does not name"),
        (
            [("Path", "caption"), ("a/b/0.png", "a"), ("a/b/0.png", "b")],
            "row 3 .* a second time",
        ),
    ],
)
def test_captions_refused(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_captions(workbook(tmp_path / "c.xlsx", *rows))


def test_no_workbook(tmp_path, monkeypatch):
    file = tmp_path / "captions.xlsx"
    for content in (b"", b"Path,caption\n", b"PK\x03\x04" + bytes(100)):
        file.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as an Excel workbook"):
            read_captions(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_captions(tmp_path / "missing.xlsx")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(2000))
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 1000)
    with pytest.raises(InputError, match="larger than"):
        read_captions(file)


def test_captions_round_trip(tmp_path):
    rows = [
        ("screw/dent/000.png", "A screw.", "螺丝头部的凹痕 & <dent>"),
        ("screw/dent/001.png", "A screw.", "=1+1"),
    ]
    (tmp_path / "c.xlsx").write_bytes(write_captions(rows))
    captions = read_captions(tmp_path / "c.xlsx")
    assert [caption.defect_description for caption in captions.values()] == [row[2] for row in rows]
    assert openpyxl.load_workbook(io.BytesIO(write_captions(rows))).worksheets[0].max_row == 3
