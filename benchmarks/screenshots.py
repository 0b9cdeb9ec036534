"""Pictures of the page for the README, painted by the embedded checkpoint: python benchmarks/screenshots.py docs."""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from magic_ui import DefectStudio
from magic_ui.ui.page import build_page, launch_options

VIEWS = (("en", 1440), ("zh", 1440), ("en", 390), ("zh", 390))
SENTENCES = {"en": "severe rust on the thread", "zh": "在螺丝头部生成一处细划痕"}
UNDERSTOOD = {"en": "corrosion", "zh": "划痕"}
PATIENCE = 180_000
COLORS = 200


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--browser", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--checkpoint", default="magic-tiny")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    page = build_page(DefectStudio.from_pretrained(options.checkpoint))
    _, url, _ = page.launch(**launch_options() | {"prevent_thread_lock": True, "quiet": True})
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        for language, width in VIEWS:
            context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
            context.set_default_timeout(PATIENCE)
            tab = context.new_page()
            tab.goto(f"{url}?lang={language}")
            tab.wait_for_selector("#stage img")
            tab.fill("#instruction textarea", SENTENCES[language])
            tab.wait_for_selector(f"#understood .slot >> text={UNDERSTOOD[language]}")
            tab.click("#compare-button")
            tab.locator("#strip button.thumbnail-item").nth(3).wait_for()
            tab.locator("#strip button.thumbnail-item").nth(2).click()
            tab.wait_for_selector("#status .status.good")
            tab.wait_for_timeout(1500)  # the pictures fade in
            tab.evaluate("window.scrollTo(0, 0)")
            picture = Image.open(io.BytesIO(tab.screenshot(full_page=True))).convert("RGB")
            path = options.output / f"page-{width}-{language}.png"
            picture.quantize(COLORS, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
            print(path, path.stat().st_size // 1024, "kB")
            context.close()
        browser.close()
    page.close()


if __name__ == "__main__":
    main()
