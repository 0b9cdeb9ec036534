"""Sentences and the slots they must fill. A slot that is not named must stay empty (count 1)."""

from __future__ import annotations

import pytest

from magic_ui.instruction import parse_instruction

S = {"defect": "scratch"}
K = {"defect": "crack"}
R = {"defect": "corrosion"}
D = {"defect": "dent"}
W = {"defect": "wear"}
THIN = {"thickness": "thin"}
FINE = {"thickness": "thin", "morphology": ["fine"]}

CASES: list[tuple[str, list[dict]]] = [
    # one defect, one place
    ("a scratch on the head", [S | {"part": "head"}]),
    ("scratch the head", [S | {"part": "head"}]),
    ("Scratches on the neck of the screw.", [S | {"part": "neck", "category": "screw"}]),
    ("rusty thread", [R | {"part": "thread"}]),
    ("rust", [R]),
    ("RUST ON THE THREAD", [R | {"part": "thread"}]),
    ("the tip is bent", [{"defect": "bent", "part": "tip"}]),
    ("bend the tip", [{"defect": "bent", "part": "tip"}]),
    ("a broken tip", [{"defect": "break", "part": "tip"}]),
    ("snap off the tip", [{"defect": "break", "part": "tip"}]),
    ("deformed tip", [{"defect": "bent", "part": "tip"}]),
    ("a deformed and bent tip at the end", [{"defect": "bent", "part": "tip"}]),
    ("gouge on the shank", [S | {"part": "neck"}]),
    ("a nick at the rim", [{"defect": "chip", "part": "rim"}]),
    ("pitting on the thread", [R | {"part": "thread"}]),
    ("the edge is chipped", [{"defect": "chip", "part": "edge"}]),
    ("an oil stain in the middle", [{"defect": "stain", "region": "center"}]),
    ("foreign object at the bottom", [{"defect": "contamination", "region": "bottom"}]),
    ("burrs on the edge of the washer", [{"defect": "burr", "part": "edge", "category": "washer"}]),
    ("discolouration of the face", [{"defect": "discoloration", "part": "face"}]),
    ("abrasion of the body", [W | {"part": "body"}]),
    ("a fracture in the neck", [{"defect": "break", "part": "neck"}]),
    ("hairline fracture in the neck", [K | FINE | {"part": "neck"}]),
    ("a hole in the leather", [{"defect": "hole", "category": "leather"}]),
    ("rust around the hole", [R | {"part": "hole"}]),
    ("the front end is worn", [W | {"part": "tip"}]),
    ("在螺丝头部生成一处划痕", [S | {"part": "head", "category": "screw"}]),
    ("头部划痕", [S | {"part": "head"}]),
    ("头部生锈了", [R | {"part": "head"}]),
    ("螺丝尖端弯曲", [{"defect": "bent", "part": "tip", "category": "screw"}]),
    ("把螺丝的尖端折断", [{"defect": "break", "part": "tip", "category": "screw"}]),
    ("颈部有刮伤", [S | {"part": "neck"}]),
    ("颈部有擦伤", [W | {"part": "neck"}]),
    ("螺纹上有压痕", [D | {"part": "thread"}]),
    ("表面有油污", [{"defect": "stain"}]),
    ("瓶口有缺口", [{"defect": "chip", "part": "rim", "category": "bottle"}]),
    ("垫圈边缘有毛刺", [{"defect": "burr", "part": "edge", "category": "washer"}]),
    ("齿轮上有异物", [{"defect": "contamination", "category": "gear"}]),
    ("螺母内孔边缘有毛刺", [{"defect": "burr", "part": "hole", "category": "metal_nut"}]),
    ("皮革中间有一个破洞", [{"defect": "hole", "region": "center", "category": "leather"}]),
    ("木板变色", [{"defect": "discoloration", "category": "wood"}]),
    ("末端断裂", [{"defect": "break", "part": "tip"}]),
    ("有缺陷的头部", [W | {"part": "head"}]),
    # image frame and object frame
    ("a scratch at the top of the head", [S | {"part": "head", "region": "top"}]),
    ("a scratch at the top", [S | {"region": "top"}]),
    ("a dent in the upper left corner", [D | {"region": "top_left"}]),
    ("a dent in the bottom-right corner", [D | {"region": "bottom_right"}]),
    ("a dent in the lower left part", [D | {"region": "bottom_left"}]),
    ("a dent in the upper half", [D | {"region": "top"}]),
    ("a dent in the middle left", [D | {"region": "left"}]),
    ("a dent in the middle-bottom section", [D | {"region": "bottom"}]),
    ("a dent on the left-hand side", [D | {"region": "left"}]),
    ("rust right at the tip", [R | {"part": "tip"}]),
    (
        "The head of the screw in the upper left corner has a scratch",
        [S | {"part": "head", "region": "top_left", "category": "screw"}],
    ),
    ("scratch on thread_top", [S | {"part": "thread", "part_detail": "crest"}]),
    ("wear on the thread side", [W | {"part": "thread", "part_detail": "flank"}]),
    ("wear on the crests of the threads", [W | {"part": "thread", "part_detail": "crest"}]),
    ("螺纹牙顶磨损", [W | {"part": "thread", "part_detail": "crest"}]),
    ("螺纹侧面有划痕", [S | {"part": "thread", "part_detail": "flank"}]),
    ("左上角有凹坑", [D | {"region": "top_left"}]),
    ("右下方的污渍", [{"defect": "stain", "region": "bottom_right"}]),
    ("顶部裂纹", [K | {"region": "top"}]),
    ("头部左侧有划痕", [S | {"part": "head", "region": "left"}]),
    ("图片上面有一处划痕", [S | {"region": "top"}]),
    ("螺丝上面有一处划痕", [S | {"category": "screw"}]),
    ("靠近头部的颈部有裂纹", [K | {"part": "neck"}]),
    ("a crack in the neck near the head", [K | {"part": "neck"}]),
    ("a crack near the head", [K | {"part": "head"}]),
    ("螺纹末端有凹痕", [D | {"part": "tip"}]),
    # looks
    ("a thin scratch", [S | THIN]),
    ("a fine scratch", [S | FINE]),
    ("细划痕", [S | THIN]),
    ("a wide crack", [K | {"thickness": "thick", "morphology": ["wide"]}]),
    ("粗裂纹", [K | {"thickness": "thick"}]),
    ("severely rusted thread", [R | {"part": "thread", "severity": "severe"}]),
    ("badly worn tip", [W | {"part": "tip", "severity": "severe"}]),
    ("slight wear", [W | {"severity": "slight"}]),
    ("moderate corrosion", [R | {"severity": "moderate"}]),
    ("轻微磨损", [W | {"severity": "slight"}]),
    ("严重腐蚀", [R | {"severity": "severe"}]),
    ("不严重的划痕", [S | {"severity": "slight"}]),
    ("头部有点生锈", [R | {"part": "head", "severity": "slight"}]),
    ("a deep dent", [D | {"severity": "severe", "morphology": ["deep"]}]),
    ("a small oval dent", [D | {"severity": "slight", "morphology": ["small", "oval"]}]),
    ("irregular block-shaped rust", [R | {"morphology": ["irregular", "block-shaped"]}]),
    ("line-like scratch", [S | {"morphology": ["line-like"]}]),
    ("radial cracks", [K | {"morphology": ["radial"]}]),
    ("concentric scratches", [S | {"morphology": ["concentric"]}]),
    ("rough, granular rust", [R | {"morphology": ["rough", "granular"]}]),
    ("不规则块状锈蚀", [R | {"morphology": ["irregular", "block-shaped"]}]),
    ("椭圆形的凹痕", [D | {"morphology": ["oval"]}]),
    ("a brown rust spot", [R | {"color": "brown"}]),
    ("a silver-colored scratch", [S | {"color": "silver"}]),
    ("a scratch, silver in color", [S | {"color": "silver"}]),
    ("银色划痕", [S | {"color": "silver"}]),
    ("黑色的污渍", [{"defect": "stain", "color": "black"}]),
    ("a curved scratch", [S | {"morphology": ["curved"]}]),
    ("弯曲的划痕", [S | {"morphology": ["curved"]}]),
    ("a twisted tip", [{"defect": "bent", "part": "tip"}]),
    ("the red capsule has a white scratch", [S | {"color": "white", "category": "capsule"}]),
    ("the small cable is broken", [{"defect": "break", "category": "cable"}]),
    ("a scratch along the axis", [S | {"orientation": "along"}]),
    ("a lengthwise crack", [K | {"orientation": "along"}]),
    ("a crack across the neck", [K | {"orientation": "across", "part": "neck"}]),
    ("diagonal scratch", [S | {"orientation": "diagonal"}]),
    ("沿轴向的划痕", [S | {"orientation": "along"}]),
    ("横向裂纹", [K | {"orientation": "across"}]),
    ("斜向划痕", [S | {"orientation": "diagonal"}]),
    ("a scratch, not deep, on the head", [S | {"part": "head"}]),
    # numbers
    ("a 0.1 mm scratch", [S | THIN | {"thickness_mm": 0.1}]),
    ("a 0.1mm thin scratch", [S | THIN | {"thickness_mm": 0.1}]),
    ("0.3毫米的裂纹", [K | {"thickness": "medium", "thickness_mm": 0.3}]),
    ("宽0.6毫米的裂纹", [K | {"thickness": "thick", "thickness_mm": 0.6}]),
    ("a scratch 100 µm wide", [S | THIN | {"thickness_mm": 0.1}]),
    ("100微米的划痕", [S | THIN | {"thickness_mm": 0.1}]),
    ("a 0.01 in scratch", [S | {"thickness": "medium", "thickness_mm": 0.254}]),
    ('a 0.01" scratch', [S | {"thickness": "medium", "thickness_mm": 0.254}]),
    ("a 0.05 cm crack", [K | {"thickness": "medium", "thickness_mm": 0.5}]),
    ("0.05厘米的裂纹", [K | {"thickness": "medium", "thickness_mm": 0.5}]),
    ("a 0,1 mm scratch", [S | THIN | {"thickness_mm": 0.1}]),
    ("０．１毫米划痕", [S | THIN | {"thickness_mm": 0.1}]),
    ("a 0.1-0.2 mm scratch", [S | THIN | {"thickness_mm": 0.15}]),
    ("零点一毫米的划痕", [S | THIN | {"thickness_mm": 0.1}]),
    ("10丝宽的划痕", [S | THIN | {"thickness_mm": 0.1}]),
    ("two scratches", [S | {"count": 2}]),
    ("两处划痕", [S | {"count": 2}]),
    ("3个凹坑", [D | {"count": 3}]),
    ("３处划痕", [S | {"count": 3}]),
    ("十处划痕", [S | {"count": 10}]),
    ("a couple of nicks", [{"defect": "chip", "count": 2}]),
    ("several thin scratches", [S | THIN | {"count": 3}]),
    ("几处锈迹", [R | {"count": 3}]),
    ("一处裂纹", [K]),
    ("a scratch defect with a quantity of 2", [S | {"count": 2}]),
    ("划痕，数量为3", [S | {"count": 3}]),
    ("2 scratches in the middle", [S | {"count": 2, "region": "center"}]),
    # several defects
    ("a scratch on the head and rust on the thread", [S | {"part": "head"}, R | {"part": "thread"}]),
    ("头部划痕和螺纹锈蚀", [S | {"part": "head"}, R | {"part": "thread"}]),
    ("划痕在头部，锈蚀在螺纹", [S | {"part": "head"}, R | {"part": "thread"}]),
    ("scratches and dents on the neck", [S | {"part": "neck"}, D | {"part": "neck"}]),
    ("划痕、凹痕", [S, D]),
    ("颈部有划痕、凹痕和锈", [S | {"part": "neck"}, D | {"part": "neck"}, R | {"part": "neck"}]),
    ("the head has a scratch, a dent and rust", [d | {"part": "head"} for d in (S, D, R)]),
    ("head: scratch; thread: rust", [S | {"part": "head"}, R | {"part": "thread"}]),
    ("1. scratch on the head\n2. rust on the thread", [S | {"part": "head"}, R | {"part": "thread"}]),
    (
        "a thin scratch on the head and severe rust on the tip",
        [S | THIN | {"part": "head"}, R | {"part": "tip", "severity": "severe"}],
    ),
    (
        "头部有两处细划痕，螺纹有严重锈蚀",
        [S | THIN | {"part": "head", "count": 2}, R | {"part": "thread", "severity": "severe"}],
    ),
    ("头部和颈部有划痕", [S | {"part": "head"}, S | {"part": "neck"}]),
    ("a scratch on the head and the thread", [S | {"part": "head"}, S | {"part": "thread"}]),
    (
        "The head has a scratch on the left and a dent on the right",
        [S | {"part": "head", "region": "left"}, D | {"part": "head", "region": "right"}],
    ),
    ("a rusty, scratched thread", [R | {"part": "thread"}, S | {"part": "thread"}]),
    ("a broken and deformed tip", [{"defect": "break", "part": "tip"}, {"defect": "bent", "part": "tip"}]),
    ("a thin scratch and a thick scratch", [S | THIN, S | {"thickness": "thick"}]),
    ("Add a scratch on the head. Make it thin.", [S | THIN | {"part": "head"}]),
    # generic words
    ("a defect on the head", [W | {"part": "head"}]),
    ("an oval-shaped, silver-colored damage defect", [W | {"color": "silver", "morphology": ["oval"]}]),
    ("a dented, silver-colored damage defect", [D | {"color": "silver"}]),
    ("scratch defects", [S]),
    ("划痕缺陷", [S]),
    ("螺纹损伤", [W | {"part": "thread"}]),
    ("a warped foreign object", [{"defect": "contamination", "morphology": ["curved"]}]),
    # negation
    ("no scratch, just rust on the head", [R | {"part": "head"}]),
    ("without rust, a scratch on the head", [S | {"part": "head"}]),
    ("no scratches, dents or cracks, only rust on the thread", [R | {"part": "thread"}]),
    ("头部没有划痕，螺纹有锈蚀", [R | {"part": "thread"}]),
    ("不要裂纹，要划痕", [S]),
    ("rust-free thread but a dent on the head", [D | {"part": "head"}]),
    ("颈部有裂纹但是没有锈", [K | {"part": "neck"}]),
    ("a scratch that is not only thin but long", [S | THIN | {"morphology": ["long"]}]),
    # traditional and mixed
    ("螺絲頭部有兩處輕微銹蝕", [R | {"part": "head", "count": 2, "severity": "slight", "category": "screw"}]),
    ("螺絲尖端有嚴重的鏽蝕", [R | {"part": "tip", "severity": "severe", "category": "screw"}]),
    ("在左上角畫一條細劃痕", [S | THIN | {"region": "top_left"}]),
    ("螺紋變形，頸部斷裂", [{"defect": "bent", "part": "thread"}, {"defect": "break", "part": "neck"}]),
    ("邊緣有橢圓形的凹陷", [D | {"part": "edge", "morphology": ["oval"]}]),
    ("Please paint 两处 scratches on the 螺丝头部", [S | {"part": "head", "count": 2, "category": "screw"}]),
    ("螺丝head上有一个thin scratch", [S | THIN | {"part": "head", "category": "screw"}]),
]

SLOTS = (
    "defect", "part", "region", "severity", "thickness", "thickness_mm", "morphology", "count",
    "color", "category", "orientation", "part_detail",
)  # fmt: skip
EMPTY = {"morphology": [], "count": 1}


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_slots(text: str, expected: list[dict]) -> None:
    specs = parse_instruction(text)
    found = [{slot: getattr(spec, slot) for slot in SLOTS} for spec in specs]
    assert found == [{slot: wanted.get(slot, EMPTY.get(slot)) for slot in SLOTS} for wanted in expected]


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_everything_is_recognised(text: str) -> None:
    assert [word for spec in parse_instruction(text) for word in spec.unrecognized] == []
