# ruff: noqa: E501 - tables of sentences
"""What the parser refuses, what it reports, and that nothing a person can type breaks it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magic_ui.errors import InputError
from magic_ui.instruction import parse_instruction
from magic_ui.instruction.lexicon import load_lexicon
from magic_ui.instruction.spec import DEFECTS, MAX_COUNT, PARTS, REGIONS

PIECES = (
    "a", "no", "not", "without", "scratch", "rust", "thin", "0.1 mm", "on the", "head", "and", ",", ";", ".", "two",
    "25", "-", "1/0", "1e309", "nan", "x", "'", '"', "upper", "left", "hole", "with", "from", "to", "the", "zero",
    "头部", "划痕", "和", "、", "，", "。", "没有", "不", "两处", "细", "0.1毫米", "的", "在", "孔", "点", "零点", "半", "十",
    "\U0001f529", "\u202e", "\u0301", "<script>", "\x00", "\n", "\u0660", "\ufdfa", "ﬁ", "ß", "İ", "{{7*7}}", "%s",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _lexicon_is_read() -> None:
    load_lexicon()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "\n\t",
        "the screw",
        "stop",
        "within",
        "ahead",
        "hello there",
        "fine",
        "螺丝",
        "头部",
        "你好",
        "🔩",
        "topple",
        "on the tiptoe",
    ],
)
def test_nothing_asked(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_instruction(text)
    assert caught.value.field == "instruction"


def test_the_message_lists_every_defect_in_both_languages() -> None:
    with pytest.raises(InputError) as caught:
        parse_instruction("make it nicer")
    lexicon = load_lexicon()
    for defect in DEFECTS:
        assert lexicon.label("defect", defect, "en") in caught.value.message
        assert lexicon.label("defect", defect, "zh") in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    "text",
    [
        "no scratch",
        "without rust",
        "不要裂纹",
        "没有划痕",
        "头部没有锈",
        "don't add scratches",
        "no scratches or dents",
        "0 scratches",
        "zero scratches",
        "划痕不要",
        "rust-free head",
        "free of rust",
        "無划痕",
    ],
)
def test_only_negated(text: str) -> None:
    with pytest.raises(InputError, match="not wanted"):
        parse_instruction(text)


@pytest.mark.parametrize(
    "text",
    [
        "11 scratches",
        "a dozen scratches",
        "十二处划痕",
        "25个凹坑",
        "a hundred dents",
        "2.5 scratches",
        "a scratch with a quantity of 12",
        "999999999999999999999 scratches",
        "1e309 scratches",
    ],
)
def test_count_out_of_range(text: str) -> None:
    with pytest.raises(InputError, match=str(MAX_COUNT)):
        parse_instruction(text)


@pytest.mark.parametrize(
    "text",
    [
        "a 0 mm scratch",
        "a -0.1 mm scratch",
        "a 500 mm scratch",
        "0毫米的划痕",
        "1e309 mm scratch",
        "a 1.2.3 mm scratch",
        "a 1,000 mm crack",
        "0.0000001 mm crack",
    ],
)
def test_width_out_of_range(text: str) -> None:
    with pytest.raises(InputError, match="mm"):
        parse_instruction(text)


@pytest.mark.parametrize("value", [None, 3, b"scratch", ["scratch"], True, "scratch " * 200, "scratch \ud800"])
def test_not_a_text(value: object) -> None:
    with pytest.raises(InputError):
        parse_instruction(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a flubbery scratch on the head", ["flubbery"]),
        ("头部有一道蓝莓划痕", ["莓"]),
        ("a scratch 5 mm long", ["5 mm"]),
        ("an M3 screw with a scratch", ["M3"]),
        ("a scratch at 45° on the Kopf", ["45°", "Kopf"]),
        ("zorp zorp scratch zorp", ["zorp"]),
    ],
)
def test_unrecognized(text: str, words: list[str]) -> None:
    assert parse_instruction(text)[0].unrecognized == words


def test_unrecognized_is_limited() -> None:
    text = "scratch " + " ".join(f"word{chr(97 + i)}{chr(97 + j)}" for i in range(6) for j in range(6))
    assert len(parse_instruction(text)[0].unrecognized) == 20


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a scratch", "en"),
        ("划痕", "zh"),
        ("0.1mm的划痕", "zh"),
        ("头部scratch", "mixed"),
        ("thin 划痕", "mixed"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert parse_instruction(text)[0].language == language


def test_the_clause_of_each_defect() -> None:
    first, second = parse_instruction("a thin scratch on the head, and rust on the thread")
    assert (first.text, second.text) == ("a thin scratch on the head", "rust on the thread")


@pytest.mark.parametrize(
    "word",
    ["thinking", "within", "stopped", "ahead", "tipsy", "topic", "rimless", "holey moley x", "bodyguard"],
)
def test_never_a_part_of_a_word(word: str) -> None:
    (spec, *_) = parse_instruction(f"a scratch {word}")
    assert (spec.part, spec.region, spec.thickness) == (None, None, None)


def test_whole_chinese_words_hide_shorter_ones() -> None:
    spec = parse_instruction("仔细地画一处划痕，不锈钢")[0]
    assert (spec.thickness, spec.defect) == (None, "scratch")


@pytest.mark.parametrize(
    "text",
    [
        "s̷̢c̶r̴a̵t̸c̷h̶ on the head",
        "scr\u200batch on the head",
        "\u202escratch on the head",
        "ｓｃｒａｔｃｈ　ｏｎ　ｔｈｅ　ｈｅａｄ",
        "<script>scratch</script> on the head",
        "🔩 scratch 🔩 on the head",
        "scratch\x00on\x1bthe\thead",
        "SCRATCH ON THE HEAD!!!",
        "a scratch — on the ‘head’",
    ],
)
def test_disguised(text: str) -> None:
    spec = parse_instruction(text)[0]
    assert (spec.defect, spec.part) == ("scratch", "head")


def _timed(text: str) -> float:
    start = time.thread_time()
    try:
        for spec in parse_instruction(text):
            assert spec.defect in DEFECTS
            assert spec.part is None or spec.part in PARTS
            assert spec.region is None or spec.region in REGIONS
            assert 1 <= spec.count <= MAX_COUNT
            assert len(spec.unrecognized) <= 20
    except InputError as error:
        assert error.field == "instruction"
    return time.thread_time() - start


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=1000))
def test_any_text(text: str) -> None:
    _timed(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60), st.sampled_from(["", " "]))
def test_any_words(pieces: list[str], joint: str) -> None:
    _timed(joint.join(pieces)[:1000])


@pytest.mark.parametrize(
    "piece",
    [
        *PIECES,
        "no scratch, ",
        "不要划痕、",
        "thin, ",
        "of the thread of the head ",
        "upper-",
        "1/",
        "0.",
        "划",
        "一",
        "scratch and ",
        "hole, rust, ",
        "from left ",
        "not not ",
    ],
)
def test_fast_for_hostile_repetition(piece: str) -> None:
    text = (piece * 1000)[:1000]
    # Processor time: another program on the machine is no fault of the parser.
    assert min(_timed(text) for _ in range(3)) < 0.1


@pytest.mark.parametrize(
    ("text", "severity", "thickness"),
    [
        ("左侧中等污渍", "moderate", None),
        ("medium rust", "moderate", None),
        ("medium scratch on the head", None, "medium"),
        ("中等裂纹", None, "medium"),
    ],
)
def test_medium_is_a_lines_thickness_and_an_areas_severity(text, severity, thickness):
    (spec,) = parse_instruction(text)
    assert (spec.severity, spec.thickness) == (severity, thickness)


@pytest.mark.parametrize(
    ("text", "region"), [("左边缘崩缺", "left"), ("右侧边缘的划痕", "right"), ("上边缘有毛刺", "top")]
)
def test_an_edge_keeps_its_side(text, region):
    (spec,) = parse_instruction(text)
    assert (spec.part, spec.region, spec.unrecognized) == ("edge", region, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("螺丝头部的细划痕 (thin scratch on the screw head)", [("scratch", "head", "thin", None, 1)]),
        ("螺丝头部的细划痕（severe scratch）。", [("scratch", "head", "thin", "severe", 1)]),
        ("two dents on the neck (颈部的凹痕)", [("dent", "neck", None, None, 2)]),
        (
            "头部划痕和螺纹腐蚀 (a scratch on the head and rust on the thread)",
            [("scratch", "head", None, None, 1), ("corrosion", "thread", None, None, 1)],
        ),
        ("头部的划痕 (a dent on the neck)", [("scratch", "head", None, None, 1), ("dent", "neck", None, None, 1)]),
        (
            "头部的划痕 (a scratch on the neck)",
            [("scratch", "head", None, None, 1), ("scratch", "neck", None, None, 1)],
        ),
        ("头部的划痕 (thin)", [("scratch", "head", "thin", None, 1)]),
        ("头部的划痕 (0.1 mm)", [("scratch", "head", "thin", None, 1)]),
        ("a scratch (thin) on the head", [("scratch", "head", "thin", None, 1)]),
    ],
)
def test_a_translation_in_brackets_is_the_same_defect(text: str, expected: list) -> None:
    read = parse_instruction(text)
    assert [(s.defect, s.part, s.thickness, s.severity, s.count) for s in read] == expected
    assert all(not s.unrecognized and s.text in text for s in read)
