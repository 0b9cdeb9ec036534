import json

import numpy as np
import pytest

pytest.importorskip("stlpips_pytorch")

from magic_ui import InputError
from magic_ui.evaluation import painting
from magic_ui.evaluation.command import run_evaluation
from magic_ui.evaluation.reconstruction import mask_psnr
from magic_ui.images import encode_png
from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.studio import DefectStudio
from tests.evaluation.conftest import write_scenes
from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("tiny"), conditioning="normal")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Two normal pictures and a defective one in DS-MVTec's layout."""
    root, generator = tmp_path_factory.mktemp("real"), np.random.default_rng(0)
    pictures = {
        f"image/{name}": generator.integers(90, 160, (96, 96, 3), dtype=np.uint8)
        for name in ("good/000", "good/001", "scratch/000")
    }
    mask = np.zeros((96, 96, 3), np.uint8)
    mask[40:50, 30:60] = 2
    for name, pixels in (pictures | {"mask/scratch/000_mask": mask}).items():
        path = root / "metal_plate" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(pixels))
    return root


@pytest.fixture(scope="module")
def found(checkpoint, scene_folder, real, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    train = write_scenes(folder / "train", 3, seed=1)
    unseen = write_scenes(folder / "unseen", 2, seed=2, category="gear")
    findings = run_evaluation(
        checkpoint=str(checkpoint), train=train, held_out=scene_folder, unseen=unseen, real=real,
        output=folder / "out", classifier_steps=3, samples=6, seeds=2, repeats=1,
    )  # fmt: skip
    return findings, folder / "out"


def test_every_figure_of_the_table_is_measured(found):
    names = " | ".join(row.name for row in found[0].rows)
    for figure in (
        "Classifier on held-out", "Instructed type", "asked in zh", "asked in en", "gap, asked",
        "in zh alone", "in en alone", "gap, prompted", "slight < moderate < severe",
        "thin < thick", "KID", "IC-LPIPS", "Autoencoder inside masks, renders", "Autoencoder inside masks, real",
        "Seam", "outside the mask", "never trained on (gear)", "1024 px", "Four strengths", "checkpoints", "Real parts",
    ):  # fmt: skip
        assert figure in names, figure


def test_nothing_outside_the_mask_changed(found):
    assert [row.value for row in found[0].rows if "outside" in row.name] == [0, 0]


def test_the_report_needs_no_other_file_and_the_json_agrees(found):
    findings, folder = found
    page, figures = (folder / "report.html").read_text(), json.loads((folder / "report.json").read_text())
    assert "data:image/jpeg;base64" in page and "<svg" in page
    assert "http://" not in page and "https://" not in page and str(folder) not in page
    assert [row["name"] for row in figures["table"]] == [row.name for row in findings.rows]
    assert figures["details"]["features"].startswith("VGG16")


def test_an_autoencoders_psnr_is_that_of_its_error(checkpoint, samples):
    """Against the reconstruction written out for one crop that needs no resizing."""
    import torch

    loaded = load_checkpoint(checkpoint)
    image = samples[0].normal[:64, :64]
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    output = ((loaded.reconstruct(tensor)[0].permute(1, 2, 0).numpy() + 1) * 127.5).clip(0, 255)
    error = ((output - image.astype(np.float32)) ** 2)[mask].mean()
    pooled, mean, count = mask_psnr(loaded, [(image, mask)])
    assert pooled == pytest.approx(10 * np.log10(255**2 / error), abs=1e-3) and mean == pytest.approx(pooled)
    assert count == 1


def test_without_scenes_to_train_on_it_says_so(checkpoint, scene_folder, tmp_path):
    with pytest.raises(InputError, match="classifier"):
        run_evaluation(checkpoint=str(checkpoint), held_out=scene_folder, output=tmp_path)


def test_a_request_in_two_languages_is_painted_once_unless_the_painter_is_told_something_else(
    checkpoint, samples, monkeypatch
):
    studio, sample, paintings = DefectStudio.from_pretrained(checkpoint), samples[0], []
    generate, plan_sample = studio.generate, painting.plan_sample
    monkeypatch.setattr(studio, "generate", lambda *a, **k: paintings.append(a) or generate(*a, **k))
    request = painting.request_of(sample.spec)
    both = painting.paint_asked(studio, sample, request, ("en", "zh"), seed=4)
    alone = painting.paint_sample(studio, sample, request, language="zh", seed=4)
    assert len(paintings) == 2 and list(both) == ["en", "zh"]
    assert all((both[language].images[0] == alone.images[0]).all() for language in both)

    def other_words(studio, sample, spec, language, seed):
        plan, understood = plan_sample(studio, sample, spec, language, seed)
        plan.targets[0].prompt += language
        return plan, understood and language == "en"

    monkeypatch.setattr(painting, "plan_sample", other_words)
    both = painting.paint_asked(studio, sample, request, ("en", "zh"), seed=4)
    assert len(paintings) == 4
    assert both["en"].understood and not both["zh"].understood
