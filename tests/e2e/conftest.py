"""The real page with the embedded checkpoint, in a real browser. A missing browser or checkpoint fails."""

import os
import shutil
from types import SimpleNamespace

import pytest
from playwright.sync_api import sync_playwright

from magic_ui import DefectStudio
from magic_ui.ui.page import build_page, launch_options
from magic_ui.ui.parts import load_examples

BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 120_000
"""Milliseconds to wait for one thing to appear on a slow machine."""


@pytest.fixture(scope="session")
def served():
    """The running page: ``url`` and the ``page`` behind it. ``MAGIC_UI_E2E_CHECKPOINT`` names another checkpoint."""
    assert load_examples(), "examples/examples.toml lists no picture"
    studio = DefectStudio.from_pretrained(os.environ.get("MAGIC_UI_E2E_CHECKPOINT", "magic-tiny"), device="cpu")
    page = build_page(studio)
    _, url, _ = page.launch(**launch_options() | {"prevent_thread_lock": True, "quiet": True})
    yield SimpleNamespace(url=url, page=page)
    page.close()


@pytest.fixture(scope="session")
def browser():
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium found; install it or set CHROMIUM to its path"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(BROWSER_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def visit(served, browser):
    """``visit(language, width=..., scheme=...)`` opens the page as a new visitor; its console must stay clean."""
    contexts, complaints = [], []

    def open_page(language: str = "en", *, width: int = 1440, scheme: str = "light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            accept_downloads=True,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(f"{served.url}?lang={language}")
        tab.wait_for_selector("#stage img")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
