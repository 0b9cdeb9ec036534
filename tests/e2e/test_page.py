import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magic_ui.ui.strings import load_strings

SENTENCE = "在螺丝头部生成一处细划痕"
DONE = "#status .status.good"


def type_instruction(tab, text: str) -> None:
    tab.fill("#instruction textarea", text)


def paint(tab, button: str = "#paint-button") -> None:
    tab.click(button)
    tab.wait_for_selector("#live-group", state="visible")
    tab.wait_for_selector(DONE)


def download(tab, name: str) -> bytes:
    with tab.expect_download() as started:
        tab.click(f"#download-{name}")
    return Path(started.value.path()).read_bytes()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_from_a_chinese_sentence_to_a_dataset(visit):
    tab = visit("en")
    first = tab.get_attribute("#stage img", "src")
    name = tab.text_content(".part-facts b")
    tab.click("#examples button.thumbnail-item >> nth=1")
    tab.wait_for_function("before => document.querySelector('.part-facts b').textContent !== before", arg=name)
    type_instruction(tab, SENTENCE)
    tab.wait_for_selector("#understood .slot >> text=scratch")
    tab.wait_for_function("before => document.querySelector('#stage img').src !== before", arg=first)
    tab.wait_for_selector("#plan-facts .area")

    paint(tab)
    assert tab.is_visible("#slider") and not tab.is_visible("#live-group")
    record = json.loads(download(tab, "record"))
    assert record["instruction"] == SENTENCE
    image = download(tab, "image")
    assert json.loads(Image.open(io.BytesIO(image)).text["magic_ui"]) == record

    paint(tab, "#compare-button")
    results = tab.locator("#strip button.thumbnail-item")
    results.nth(3).wait_for()
    assert results.count() == 4
    results.nth(1).click()
    tab.wait_for_function("document.querySelector('#result-facts dd').textContent.trim() === '0.4'")

    archive = zipfile.ZipFile(io.BytesIO(download(tab, "zip")))
    names = archive.namelist()
    assert archive.testzip() is None and any(name.endswith("captions.xlsx") for name in names)
    good = pixels(archive.read(next(name for name in names if "/image/good/" in name)))
    painted = sorted(name for name in names if "/image/scratch" in name)
    masks = sorted(name for name in names if "/mask/scratch" in name)
    assert len(painted) == len(masks) == 4
    for name, mask_name in zip(painted, masks, strict=True):
        mask = np.asarray(Image.open(io.BytesIO(archive.read(mask_name)))) > 0
        assert mask.any() and np.array_equal(pixels(archive.read(name))[~mask], good[~mask])


def test_the_language_switch_reaches_every_text(visit):
    tab = visit("en")
    tab.click("#language >> text=中文")
    tab.wait_for_function("document.querySelector('#paint-button').textContent.trim() === '绘制'")
    tab.wait_for_selector("#understood >> text=理解为")
    tab.wait_for_function("document.documentElement.lang === 'zh-Hans'")
    tab.fill("#instruction textarea", SENTENCE)
    sentences = {"language.label", "instruction.placeholder"}
    english = {texts["en"] for key, texts in load_strings().items() if key not in sentences}
    for _ in range(60):
        left = english & {line.strip() for line in tab.inner_text("body").splitlines()}
        if not left:
            break
        tab.wait_for_timeout(500)
    assert not left
    tab.click("#language >> text=English")
    tab.wait_for_function("document.querySelector('#paint-button').textContent.trim() === 'Paint'")


def test_the_language_is_the_visitors_own(visit):
    assert visit("zh").text_content("#paint-button").strip() == "绘制"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_nothing_scrolls_sideways(visit, language, width):
    tab = visit(language, width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_shows_the_results_without_scrolling_sideways(visit):
    tab = visit("zh", width=390)
    paint(tab, "#compare-button")
    tab.wait_for_selector("#strip button.thumbnail-item")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_keyboard_paints_and_stop_stops(visit):
    tab = visit("en")
    tab.click("#advanced > button")
    tab.uncheck("#auto input")
    tab.wait_for_selector("#steps input[type=number]:not([disabled])")
    tab.fill("#steps input[type=number]", "100")
    tab.press("#steps input[type=number]", "Tab")
    tab.focus("#instruction textarea")
    tab.keyboard.press("Control+Enter")
    tab.click("#stop-button")  # at once: a fast machine is soon done
    tab.wait_for_selector("#status >> text=Stopped")
    assert not tab.is_visible("#live-group")
    tab.check("#auto input")
    paint(tab)


def test_hostile_words_stay_words(visit):
    tab = visit("en")
    type_instruction(tab, '<img src=x onerror="window.hacked=1"> <script>window.hacked=1</script>')
    tab.wait_for_selector("#understood .error-card")
    assert tab.evaluate("window.hacked === undefined")
    type_instruction(tab, "a scratch at the top")
    tab.wait_for_selector("#understood .slot >> text=scratch")


def test_an_uploaded_picture_is_used_and_a_bad_one_explained(visit, tmp_path):
    tab = visit("en")
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    tab.set_input_files("#upload input[type=file]", tmp_path / "bad.png")
    tab.wait_for_selector("#part-card .error-card")
    deep = np.full((160, 200), 52_000, np.uint16)
    deep[40:120, 60:140] = 18_000
    Image.fromarray(deep).save(tmp_path / "deep.png")
    tab.click("#upload button[aria-label='Clear'], #upload button[aria-label='Remove this file']")
    tab.set_input_files("#upload input[type=file]", tmp_path / "deep.png")
    tab.wait_for_selector("#part-card >> text=200 × 160 px")


def test_the_brush_makes_the_mask(visit):
    tab = visit("en")
    tab.click("#mask-source >> text=My brush")
    tab.wait_for_selector("#editor canvas")
    tab.wait_for_selector("#plan-facts >> text=Brush orange")
    canvas = tab.locator("#editor canvas").first
    canvas.scroll_into_view_if_needed()
    tab.wait_for_timeout(1000)
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=8)
    tab.mouse.up()
    tab.wait_for_selector("#plan-facts .area")


def test_visitors_do_not_see_each_other(visit):
    one, other = visit("en"), visit("en")
    paint(one)
    assert other.is_visible("#result-empty")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(visit, scheme):
    tab = visit("en", scheme=scheme)
    measured = tab.evaluate(
        """() => {
          const read = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = (element) => {
            for (let e = element; e; e = e.parentElement) {
              const color = read(getComputedStyle(e).backgroundColor);
              if (color.length === 3 || color[3] === 1) return color;
            }
            return [255, 255, 255];
          };
          const wanted = "h1, h2, h3, .step-heading p, .quiet, .slot, .slot em, .legend span, .area, .status, " +
            "#paint-button, #compare-button, #chips button, .part-facts span, [data-testid=block-info]";
          return [...document.querySelectorAll(wanted)].filter((e) => e.offsetParent).map((e) => {
            const [a, b] = [light(read(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
            return [e.className || e.tagName, (a + 0.05) / (b + 0.05)];
          });
        }"""
    )
    assert len(measured) > 20
    assert not [found for found in measured if found[1] < 4.5]
