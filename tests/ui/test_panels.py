from html.parser import HTMLParser

import pytest

from magic_ui.errors import InputError
from magic_ui.ui import panels

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'\"&<>",
    "\u202eright to left",
    "Z̸͎̈a̷l̵g̶o",
    "😀🔩",
]
LANGUAGES = ["en", "zh"]


class Tags(HTMLParser):
    """Collects tags, and what stays open or closes nothing."""

    def __init__(self):
        super().__init__()
        self.seen, self.open, self.broken = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("img", "br", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.broken.append(tag)


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    assert not tags.broken and not tags.open, html
    return tags


def built_from(text: str, language: str) -> list[str]:
    return [
        panels.header(language, [text]),
        panels.part_facts(text, (64, 64), [text]),
        panels.understood([([(text, text)], [text])] * 2, language),
        panels.error_card(InputError(text, text), language),
        panels.understood_error(InputError("instruction", text), language),
        panels.plan_facts(0.01, 12, [text], language),
        panels.stage_message(language, InputError("mask", text)),
        panels.status(text, language, fraction=0.5),
        panels.result_facts([(text, text)], weak=True, language=language),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", HOSTILE)
def test_text_never_becomes_markup(text, language):
    for html, plain in zip(built_from(text, language), built_from("plain", language), strict=True):
        hostile, harmless = read(html), read(plain)
        assert [tag for tag, _ in hostile.seen] == [tag for tag, _ in harmless.seen]
        assert [sorted(found) for _, found in hostile.seen] == [sorted(found) for _, found in harmless.seen]


def test_api_errors_are_escaped_too():
    assert "<" not in panels.plain_error(InputError("instruction", "<b>no</b>"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("build", [panels.result_empty, panels.legend, panels.understood_empty, panels.download_note])
def test_fixed_panels_are_well_formed(build, language):
    assert read(build(language)).seen


@pytest.mark.parametrize(
    ("field", "key"),
    [("instruction", "error.instruction"), ("mask_source", "error.mask"), ("seed", "error.number")],
)
def test_errors_are_explained_by_field(field, key):
    assert panels.error_key(field) == key


def test_an_unsure_place_and_a_moved_mask_are_told():
    sure = panels.plan_facts(0.1, 100, [], "en", confidence=0.9)
    unsure = panels.plan_facts(0.1, 100, [], "en", confidence=0.3, moved=True)
    assert "90% sure" in sure and "unsure" not in sure.replace("90% sure", "") and "before alignment" not in sure
    assert 'class="unsure"' in unsure and "30% sure" in unsure and "before alignment" in unsure


def test_progress_stays_inside_its_bar():
    assert 'aria-valuenow="100"' in panels.status("x", "en", fraction=7)
    assert 'aria-valuenow="0"' in panels.status("x", "en", fraction=-1)


def test_one_card_a_defect():
    html = panels.understood([([("defect", "scratch")], []), ([("defect", "dent")], ["zzz"])], "en")
    assert html.count("defect-card") == 2
    assert "Defect 2" in html and "<q>zzz</q>" in html
