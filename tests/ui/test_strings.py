import re
import string
from pathlib import Path

import pytest

import magic_ui.ui
from magic_ui.ui.notes import _known, translate_note
from magic_ui.ui.strings import LANGUAGES, as_language, load_strings, say

UI = Path(magic_ui.ui.__file__).parent


def slots(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(load_strings()))
def test_every_text_stands_in_every_language(key):
    texts = load_strings()[key]
    assert sorted(texts) == sorted(LANGUAGES)
    assert all(text.strip() for text in texts.values())
    assert slots(texts["en"]) == slots(texts["zh"])


def test_chinese_texts_are_chinese():
    same = {key for key, texts in load_strings().items() if not re.search(r"[\u4e00-\u9fff]", texts["zh"])}
    assert not same


def test_every_text_is_used_and_every_used_text_exists():
    source = "\n".join(path.read_text(encoding="utf-8") for path in UI.glob("*.py"))
    built = r"step\.|step\..*\.hint|error\.|legend\.|download\.|paint\..*\.info"
    quoted = set(re.findall(r"""["']([a-z_.]+)["']""", source))
    unused = [key for key in load_strings() if key not in quoted and not re.match(built, key)]
    assert not unused
    for key in re.findall(r'say\(\s*"([a-z_.]+)"', source):
        assert key in load_strings()


def test_placeholders_are_filled():
    assert say("status.step", "zh", step=3, steps=20) == "第 3 / 20 步"


@pytest.mark.parametrize(
    ("locale", "language"),
    [("zh", "zh"), ("zh-CN", "zh"), ("ZH_TW", "zh"), ("en-GB", "en"), ("de", "en"), (None, "en"), ("", "en")],
)
def test_locales_map_to_languages(locale, language):
    assert as_language(locale) == language


def test_notes_are_translated_and_unknown_notes_kept():
    note = "The head was found from the width along the axis (0% to 15% from the head end)."
    assert translate_note(note, "zh") == "根据轴向宽度找到头部（距头端 0% 至 15%）。"
    assert translate_note(note, "en") == note
    assert translate_note("Something new {braces}.", "zh") == "Something new {braces}."


def test_note_templates_fill_the_same_slots():
    for pattern, chinese in _known()[0]:
        assert slots(chinese) <= set(pattern.groupindex)
