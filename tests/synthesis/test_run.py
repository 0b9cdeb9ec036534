import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image
from typer.testing import CliRunner

from magic_ui import DefectStudio, InputError, cli
from magic_ui.data.journal import only_writer
from magic_ui.data.readers import read_ds_mvtec, read_mvtec_ad
from magic_ui.synthesis.jobs import read_tasks
from magic_ui.synthesis.run import synthesize
from tests.synthesis.conftest import save_parts

ANY = {"least_agreement": -1e6, "threads": 1}  # random weights follow no words


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that belongs to the data set."""
    own = {"journal.jsonl", "numbers.json", ".lock"}  # the order of finishing and the paths of this place
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in own)
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory, checkpoint):
    folder = tmp_path_factory.mktemp("made")
    save_parts(folder)
    rows = [
        "image,instruction,category,count",
        "plate_0.png,a scratch,plate,2",
        "plate_1.png,a dent on the left,plate,2",
    ]
    (folder / "jobs.csv").write_text("\n".join(rows) + "\n")
    tasks = read_tasks(folder / "jobs.csv")
    summary = synthesize(tasks, folder / "out", checkpoint=checkpoint, **ANY)
    return folder, tasks, summary


def test_a_table_becomes_a_data_set(made):
    folder, _, summary = made
    assert (summary.asked, summary.made, summary.made_now, summary.rejected) == (4, 4, 4, {})
    samples = read_ds_mvtec(folder / "out")
    assert [s.name for s in samples] == [
        "plate/dent_left/000", "plate/dent_left/001", "plate/good/000", "plate/good/001", "plate/scratch/000",
        "plate/scratch/001",
    ]  # fmt: skip
    rows = {row["image"]: row for row in csv.DictReader((folder / "out" / "manifest.csv").open(encoding="utf-8"))}
    assert len(rows) == 4
    for sample in (s for s in samples if s.mask_path is not None):
        row = rows[f"plate/image/{sample.defect}/{sample.stem}.png"]
        assert sample.caption.defect_description == row["prompt"]
        assert hashlib.sha256(sample.image_path.read_bytes()).hexdigest() == row["sha256"]
        normal = np.asarray(Image.open(folder / ("plate_0.png" if sample.defect == "scratch" else "plate_1.png")))
        changed = (sample.load_image() != normal).any(axis=2)
        assert changed.any() and not changed[~sample.load_mask()].any()
    sheet = openpyxl.load_workbook(folder / "out" / "captions.xlsx").worksheets[0]
    cells = list(sheet.iter_rows(values_only=True))
    assert cells[0][:5] == ("Path", "object description", "defect description", "caption_en", "caption_zh")
    assert "左" in cells[1][4] and "scratch" in cells[-1][3]


def test_a_record_reproduces_its_picture(made, checkpoint):
    folder = made[0]
    record = json.loads((folder / "out/plate/records/scratch/001.json").read_text())
    studio = DefectStudio.from_pretrained(checkpoint)
    again = studio.reproduce(record, folder / "plate_0.png")
    assert (np.asarray(again.image) == np.asarray(Image.open(folder / "out/plate/image/scratch/001.png"))).all()


def test_a_finished_run_does_nothing_more(made, checkpoint):
    folder, tasks, _ = made
    before = hashes(folder / "out")
    assert synthesize(tasks, folder / "out", checkpoint=checkpoint, **ANY).made_now == 0
    assert hashes(folder / "out") == before


def test_stopping_after_any_picture_changes_nothing(made, checkpoint, tmp_path):
    folder, tasks, _ = made

    class Stop(Exception):
        pass

    def stop_after(count):
        def report(done, _):
            if done == count:
                raise Stop

        return report

    for count in (1, 3):
        with pytest.raises(Stop):
            synthesize(tasks, tmp_path / "out", checkpoint=checkpoint, report=stop_after(count), **ANY)
        assert len(read_ds_mvtec(tmp_path / "out")) >= count
    assert synthesize(tasks, tmp_path / "out", checkpoint=checkpoint, **ANY).made_now == 1
    assert hashes(tmp_path / "out") == hashes(folder / "out")


def test_numbers_stay_when_the_table_changes(made, checkpoint, tmp_path):
    folder, tasks, _ = made
    synthesize(tasks[:1] + tasks[2:3], tmp_path / "out", checkpoint=checkpoint, **ANY)
    kept = hashes(tmp_path / "out")
    summary = synthesize(tasks[1:], tmp_path / "out", checkpoint=checkpoint, **ANY)
    assert (summary.asked, summary.made, summary.made_now, summary.no_longer_asked) == (3, 3, 2, 1)
    now = hashes(tmp_path / "out")
    assert all(now[name] == digest for name, digest in kept.items() if "/image/" in name)
    assert now == hashes(folder / "out") | {"summary.json": now["summary.json"]}


def test_mvtec_ad_as_a_detector_reads_it(made, checkpoint, tmp_path):
    tasks = made[1]
    synthesize(tasks[:1], tmp_path / "out", checkpoint=checkpoint, layout="mvtec-ad", **ANY)
    root = tmp_path / "out" / "plate"
    assert (root / "train/good/000.png").is_file() and (root / "test/scratch/000.png").is_file()
    mask = np.asarray(Image.open(root / "ground_truth/scratch/000_mask.png"))
    assert set(np.unique(mask)) == {0, 255} and mask.shape == (96, 96)
    assert [(s.split, s.defect) for s in read_mvtec_ad(tmp_path / "out")] == [("train", "good"), ("test", "scratch")]
    with pytest.raises(InputError, match="layout"):
        synthesize(tasks[:1], tmp_path / "out", checkpoint=checkpoint, **ANY)


def test_what_no_seed_paints_well_is_rejected_and_counted(made, checkpoint, tmp_path):
    tasks = made[1]
    summary = synthesize(tasks, tmp_path / "out", checkpoint=checkpoint, retries=1, least_agreement=1.0, threads=1)
    assert (summary.made, summary.rejected) == (0, {"off-text": 4})
    rows = list(csv.DictReader((tmp_path / "out" / "rejected.csv").open(encoding="utf-8")))
    assert [row["row"] for row in rows] == ["2", "2", "3", "3"]
    assert {row["reasons"] for row in rows} == {"off-text; off-text"}
    described = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert described["rejected"] == {"off-text": 4} and "off-text" in described["rejection_rule"]
    assert not list((tmp_path / "out").rglob("image/scratch/*.png"))


def test_one_run_at_a_time_writes_to_a_folder(made, checkpoint, tmp_path):
    with only_writer(tmp_path / "out"), pytest.raises(InputError, match="another run"):
        synthesize(made[1], tmp_path / "out", checkpoint=checkpoint, **ANY)


def test_a_folder_that_cannot_be_written_to_is_an_error(made, checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="output"):
        synthesize(made[1], tmp_path / "file" / "out", checkpoint=checkpoint, **ANY)


@pytest.mark.parametrize(
    ("setting", "value"), [("engine", "spark"), ("workers", 0), ("retries", -1), ("layout", "coco"), ("threads", 1.5)]
)
def test_settings_out_of_range_are_refused(made, checkpoint, tmp_path, setting, value):
    with pytest.raises(InputError, match=setting):
        synthesize(made[1], tmp_path / "out", checkpoint=checkpoint, **{**ANY, setting: value})


def test_several_processes_make_the_same_files(made, checkpoint, tmp_path):
    folder, tasks, _ = made
    synthesize(tasks, tmp_path / "out", checkpoint=checkpoint, workers=2, **ANY)
    assert hashes(tmp_path / "out") == hashes(folder / "out")


def test_a_ray_cluster_of_two_workers_makes_the_same_files(made, checkpoint, tmp_path):
    folder, tasks, _ = made
    synthesize(tasks[:2], tmp_path / "out", checkpoint=checkpoint, **ANY)  # resumed by the other engine
    summary = synthesize(tasks, tmp_path / "out", checkpoint=checkpoint, engine="ray", workers=2, **ANY)
    assert summary.made_now == 2
    assert hashes(tmp_path / "out") == hashes(folder / "out")


def test_the_command_makes_resumes_and_tells(table, checkpoint, tmp_path):
    arguments = ["synthesize", table, "--output", tmp_path / "out", "--checkpoint", checkpoint, "--threads", 1]
    arguments += ["--least-agreement", -1000000]
    first = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert first.exit_code == 0, first.output
    assert "5 of 5 pictures, 5 of them now; rejected: none" in first.output
    again = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert "5 of 5 pictures, 0 of them now" in again.output


def kill_and_resume(table, checkpoint, output, kills, seed):
    """Run the command, kill it ``kills`` times at random moments, then let it finish."""
    command = [
        sys.executable, "-m", "magic_ui", "synthesize", table, "--output", output, "--checkpoint", checkpoint,
        "--threads", 1, "--least-agreement", -1000000,
    ]  # fmt: skip
    words, generator, killed = [str(word) for word in command], random.Random(seed), 0
    for _ in range(kills):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        journal = output / "journal.jsonl"
        before = journal.stat().st_size if journal.is_file() else 0
        while process.poll() is None and (journal.stat().st_size if journal.is_file() else 0) == before:
            time.sleep(0.01)
        time.sleep(generator.random() * 0.3)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    subprocess.run(words, check=True, capture_output=True)
    return killed


@pytest.mark.parametrize(("count", "kills"), [(12, 2), pytest.param(100, 20, marks=pytest.mark.slow)])
def test_kill_9_loses_doubles_and_tears_nothing(checkpoint, tmp_path, count, kills):
    save_parts(tmp_path)
    rows = ["image,instruction,category,count", f"plate_0.png,a scratch,plate,{count // 2}"]
    rows += [f"plate_1.png,a dent on the left,plate,{count - count // 2}"]
    (tmp_path / "jobs.csv").write_text("\n".join(rows) + "\n")
    tasks = read_tasks(tmp_path / "jobs.csv")
    synthesize(tasks, tmp_path / "whole", checkpoint=checkpoint, **ANY)
    assert kill_and_resume(tmp_path / "jobs.csv", checkpoint, tmp_path / "killed", kills, seed=count)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")
    assert len(read_ds_mvtec(tmp_path / "killed")) == count + 2
