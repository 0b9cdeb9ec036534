import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from magic_ui.ui.parts import load_examples


@pytest.fixture(scope="module")
def client(served, tmp_path_factory):
    return Client(served.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture(scope="module")
def part():
    return load_examples()[0].path


def load(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_plan_says_what_it_understood(client, part):
    mask, understood, notes = client.predict(
        image=handle_file(part), instruction="在螺丝头部生成一处细划痕", api_name="/plan"
    )
    assert (load(mask) == 255).any() and load(mask).shape == load(part).shape[:2]
    assert understood[0]["defect"] == "scratch" and understood[0]["part"] == "head"
    assert notes


def test_generate_changes_only_the_mask(client, part):
    image, mask, record = client.predict(
        image=handle_file(part),
        instruction="severe rust at the top",
        anomaly_strength=0.8,
        seed=7,
        num_inference_steps=6,
        api_name="/generate",
    )
    before, after, inside = np.asarray(Image.open(part).convert("RGB")), load(image), load(mask) > 0
    assert np.array_equal(before[~inside], after[~inside])
    assert record["seed"] == 7
    assert json.loads(Image.open(image).text["magic_ui"]) == record


def test_sweep_gives_one_picture_a_strength(client, part):
    images, _, records = client.predict(
        image=handle_file(part),
        instruction="a dent at the top",
        strengths=[0.9, 0.2],
        num_inference_steps=6,
        api_name="/sweep",
    )
    assert len(images) == 2
    assert [record["anomaly_strength"] for record in records] == [0.2, 0.9]


def test_a_drawn_mask_is_used(client, part, tmp_path):
    size = load(part).shape[:2]
    drawn = np.zeros(size, np.uint8)
    drawn[size[0] // 2 : size[0] // 2 + 20, size[1] // 2 : size[1] // 2 + 30] = 255
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    mask, _, _ = client.predict(
        image=handle_file(part), instruction="scratch", mask=handle_file(tmp_path / "mask.png"), api_name="/plan"
    )
    assert np.array_equal(load(mask), drawn)


BAD = [
    ("anomaly_strength", "abc"),
    ("anomaly_strength", None),
    ("anomaly_strength", -0.1),
    ("anomaly_strength", 2),
    ("text_noise_scale", True),
    ("seed", 1.5),
    ("num_inference_steps", 7.5),
    ("guidance_scale", 1e9),
    ("band_width", 0.9),
    ("mask_shape", "../etc"),
    ("instruction", ""),
    ("instruction", "x" * 1001),
    ("instruction", 5),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: repr(value)[:20])
def test_bad_values_are_answered_with_a_sentence(client, part, field, value):
    arguments = {"image": handle_file(part), "instruction": "scratch", field: value}
    with pytest.raises(AppError) as caught:
        client.predict(**arguments, api_name="/generate")
    assert f"{field}: " in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_no_number_beyond_the_finite_gets_in(served, part):
    """JSON has no NaN; where a caller forces one in, the page must still answer."""
    for text in ("NaN", "1e309", "-Infinity"):
        body = f'{{"data": [null, "scratch", "defect", 0.25, true, 0, null, {text}]}}'
        reply = httpx.post(f"{served.url}gradio_api/call/generate", content=body, timeout=30)
        if reply.status_code >= 400:
            continue
        events = httpx.get(f"{served.url}gradio_api/call/generate/{reply.json()['event_id']}", timeout=60).text
        assert "event: error" in events and "Traceback" not in events


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/a.png", "https://example.com/a.png", "/etc/passwd"])
def test_only_uploads_are_read(served, address):
    body = {"data": [{"path": address, "meta": {"_type": "gradio.FileData"}}, "scratch"]}
    reply = httpx.post(f"{served.url}gradio_api/call/plan", json=body, timeout=30)
    assert reply.status_code < 500
    if reply.status_code == 200:
        events = httpx.get(f"{served.url}gradio_api/call/plan/{reply.json()['event_id']}", timeout=60).text
        assert "event: error" in events and "root:" not in events


@pytest.mark.parametrize("path", ["/etc/passwd", str(Path(__file__).resolve()), "../../etc/passwd"])
def test_no_file_of_the_machine_is_served(served, path):
    assert httpx.get(f"{served.url}gradio_api/file={path}", timeout=30).status_code in (403, 404)


def test_the_next_request_succeeds(client, part):
    mask, _, _ = client.predict(image=handle_file(part), instruction="scratch", api_name="/plan")
    assert load(mask).any()
