import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from magic_ui import InputError
from magic_ui.paint.checkpoint import load_checkpoint
from magic_ui.registry import CHECKSUMS, registry, resolve, verify_folder, write_checksums
from tests.tiny import save_tiny_checkpoint


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("intact"))


@pytest.fixture
def folder(intact, tmp_path):
    return shutil.copytree(intact, tmp_path / "copy")


def refused(folder):
    with pytest.raises(InputError) as caught:
        load_checkpoint(folder, device="cpu")
    assert caught.value.field == "checkpoint"
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def rewrite(path, change):
    """Change one tensor and make the checksums agree, as a faulty training run would."""
    tensors = load_file(path)
    name = sorted(tensors)[0]
    tensors[name] = change(tensors[name])
    if tensors[name] is None:
        del tensors[name]
    save_file(tensors, path, {"format": "pt"})
    write_checksums(path.parents[1])


def test_intact_folder_loads_and_tells_its_hash(folder):
    checkpoint = load_checkpoint(folder, device="cpu")
    assert checkpoint.info.conditioning == "masked" and checkpoint.info.resolution == 64 and checkpoint.cell == 4
    assert checkpoint.info.sha256 == verify_folder(folder, None) and len(checkpoint.info.sha256) == 64


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_every_flipped_byte_is_noticed(folder, part):
    path = next((folder / part).glob("*.safetensors"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "damaged" in refused(folder)


def test_flipped_byte_in_a_configuration_is_noticed(folder):
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text().replace("0.012", "0.013"))
    assert "damaged" in refused(folder)


@pytest.mark.parametrize("listed", [True, False])
def test_empty_and_truncated_files_are_refused(folder, listed):
    path = next((folder / "unet").glob("*.safetensors"))
    for data in (b"", path.read_bytes()[:1000]):
        path.write_bytes(data)
        write_checksums(folder) if listed else (folder / CHECKSUMS).unlink(missing_ok=True)
        assert "truncated" in refused(folder)


def test_missing_part_and_empty_folder_are_refused(folder, tmp_path):
    shutil.rmtree(folder / "vae")
    assert "vae" in refused(folder)
    (tmp_path / "nothing").mkdir()
    refused(tmp_path / "nothing")


def test_nan_weights_are_refused(folder):
    rewrite(next((folder / "vae").glob("*.safetensors")), lambda t: torch.full_like(t, float("nan")))
    assert "NaN" in refused(folder)


def test_wrong_shape_is_refused(folder):
    rewrite(next((folder / "unet").glob("*.safetensors")), lambda t: t.repeat(2, *[1] * (t.ndim - 1)))
    refused(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_missing_weight_is_refused(folder, part):
    rewrite(next((folder / part).glob("*.safetensors")), lambda t: None)
    assert "lacks the weight" in refused(folder)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_pickles_are_never_opened(folder):
    path = next((folder / "unet").glob("*.safetensors"))
    for name in ("diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"):
        path.unlink(missing_ok=True)
        (folder / "unet" / name).write_bytes(pickle.dumps(Bomb()))
        write_checksums(folder)
        refused(folder)


def test_a_refused_checkpoint_leaves_the_loaded_one_alone(intact, folder):
    checkpoint = load_checkpoint(intact, device="cpu")
    before = checkpoint.encode_prompt("scratch")[0]
    shutil.rmtree(folder / "unet")
    refused(folder)
    assert torch.equal(checkpoint.encode_prompt("scratch")[0], before)


@pytest.mark.parametrize(
    "name", ["", "no-such", "../../etc", "/etc", "%2e%2e/", "a\0b", "x" * 300, "magic-tiny/../../.."]
)
def test_names_that_are_no_checkpoint(name):
    with pytest.raises(InputError) as caught:
        load_checkpoint(name)
    assert "/etc" not in str(caught.value)


def test_hub_checkpoints_are_reported_when_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="could not be fetched"):
        resolve("sd2")


def test_registry_lists_what_the_page_offers():
    assert {"magic-tiny", "sd2"} <= registry("inpainting").keys()
    assert registry()["sd2"].hub == "sd2-community/stable-diffusion-2-inpainting"
