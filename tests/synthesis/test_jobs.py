import json

import numpy as np
import pytest
from PIL import Image

from magic_ui import InputError
from magic_ui.synthesis.jobs import read_tasks
from tests.synthesis.conftest import save_parts


def write(folder, header, *rows, encoding="utf-8", name="jobs.csv"):
    save_parts(folder)
    (folder / name).write_bytes(("\n".join([header, *rows]) + "\n").encode(encoding))
    return folder / name


def test_a_row_makes_as_many_tasks_as_it_counts(table):
    tasks = read_tasks(table, seed=3, strengths=(0.2, 0.9))
    assert [(t.row, t.category, t.folder) for t in tasks] == [
        (2, "plate", "scratch"),
        (2, "plate", "scratch"),
        (3, "plate", "dent"),
        (3, "plate", "dent"),
        (4, "plate", "scratch_left"),
    ]
    assert len({t.key for t in tasks}) == 5 and {t.seed for t in tasks} == {3}
    assert {t.strength for t in tasks} == {(0.2, 0.9)}
    assert len({t.attempt_seed(a) for t in tasks for a in range(3)}) == 15


def test_keys_do_not_depend_on_the_order_or_on_other_rows(tmp_path):
    one = write(tmp_path, "image,instruction,count", "plate_0.png,a scratch,2", "plate_1.png,a dent,1")
    first = read_tasks(one)
    other = write(
        tmp_path, "instruction,image,count", "a crack,plate_0.png,1", "a dent,plate_1.png,1", "a scratch,plate_0.png,2"
    )
    assert {t.key for t in first} < {t.key for t in read_tasks(other)}
    twice = write(tmp_path, "image,instruction,count", "plate_0.png,a scratch,1", "plate_0.png,a scratch,1")
    assert {t.key for t in read_tasks(twice)} == {t.key for t in first if t.folder == "scratch"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(tmp_path, encoding, separator):
    header, row = separator.join(("Image", "Instruction")), separator.join(("plate_0.png", "螺丝头部的一处划痕"))
    task = read_tasks(write(tmp_path, header, row, "", encoding=encoding))[0]
    assert (task.instruction, task.folder, task.category) == ("螺丝头部的一处划痕", "scratch_head", "screw")


def test_json_lines_are_read(tmp_path):
    save_parts(tmp_path)
    row = {"image": "plate_0.png", "instruction": "a dent", "count": 2, "num_inference_steps": 4, "align": False}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(row) + "\n\n")
    tasks = read_tasks(tmp_path / "jobs.jsonl")
    assert len(tasks) == 2 and tasks[0].settings == {"num_inference_steps": 4} and tasks[0].place == {"align": False}


def test_every_column_reaches_the_task(tmp_path):
    mask = np.zeros((96, 96), np.uint8)
    mask[30:40, 30:60] = 255
    (tmp_path / "masks").mkdir()
    for name in ("drawn.png", "object.png", "masks/a.png"):
        Image.fromarray(mask).save(tmp_path / name)
    header = "image,instruction,mask,foreground,band_width,text_noise_scale,guidance_scale,candidates,seed,mask_library"
    table = write(
        tmp_path, header, "plate_0.png,a dent,drawn.png,object.png,0.3,0.5,3,2,9,", "plate_0.png,a dent,,,,,,,,masks"
    )
    drawn, lent = read_tasks(table)
    assert drawn.place == {
        "mask": str(tmp_path / "drawn.png"),
        "foreground": str(tmp_path / "object.png"),
        "band_width": 0.3,
    }
    assert drawn.settings == {"text_noise_scale": 0.5, "guidance_scale": 3.0, "candidates": 2} and drawn.seed == 9
    assert lent.place == {"mask_shape": "library", "mask_library": str(tmp_path / "masks")}


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("image,sentence", "plate_0.png,a dent", "instruction"),
        ("image,instruction,strenght", "plate_0.png,a dent,1", "strenght"),
        ("image,instruction,image", "plate_0.png,a dent,plate_0.png", "twice"),
        ("image,instruction", "none.png,a dent", "row 2, image: there is no file 'none.png'"),
        ("image,instruction", "plate_0.png,", "row 2, instruction: the cell is empty"),
        ("image,instruction", "plate_0.png,hello there", "row 2, instruction"),
        ("image,instruction", "plate_0.png,a dent,and more", "row 2 has 3 cells"),
        ("image,instruction", "jobs.csv,a dent", "row 2, image"),
        ("image,instruction,count", "plate_0.png,a dent,0", "row 2, count"),
        ("image,instruction,count", "plate_0.png,a dent,1.5", "row 2, count"),
        ("image,instruction,count", "plate_0.png,a dent,many", "row 2, count: 'many' is no number"),
        ("image,instruction,seed", "plate_0.png,a dent,nan", "row 2, seed"),
        ("image,instruction,guidance_scale", "plate_0.png,a dent,1e309", "row 2, guidance_scale"),
        ("image,instruction,num_inference_steps", "plate_0.png,a dent,7.5", "row 2, num_inference_steps"),
        ("image,instruction,anomaly_strength_min", "plate_0.png,a dent,1.2", "row 2, anomaly_strength_min"),
        ("image,instruction,anomaly_strength_max", "plate_0.png,a dent,0.1", "row 2, anomaly_strength_max"),
        ("image,instruction,category", "plate_0.png,a dent,../up", "row 2, category"),
        ("image,instruction,mask_source", "plate_0.png,a dent,magic", "row 2, mask_source"),
        ("image,instruction,mask_shape", "plate_0.png,a dent,library", "row 2, mask_shape"),
        ("image,instruction,mask_library", "plate_0.png,a dent,nowhere", "row 2, reference"),
        ("image,instruction,reference_image", "plate_0.png,a dent,plate_1.png", "row 2, reference_mask"),
        ("image,instruction,align", "plate_0.png,a dent,perhaps", "row 2, align"),
        ("image,instruction", "", "holds no jobs"),
        ("", "", "instruction|image"),
    ],
)
def test_what_is_wrong_is_named_with_its_row_and_column(tmp_path, header, row, message):
    with pytest.raises(InputError, match=message) as caught:
        read_tasks(write(tmp_path, header, row))
    assert str(tmp_path) not in str(caught.value)


def test_tables_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "jobs.csv").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(InputError, match="UTF-8"):
        read_tasks(tmp_path / "jobs.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_tasks(tmp_path / "none.csv")
    (tmp_path / "jobs.jsonl").write_text("[1]\n")
    with pytest.raises(InputError, match="row 1"):
        read_tasks(tmp_path / "jobs.jsonl")
