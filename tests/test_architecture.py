import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path
    for folder in ("magic_ui", "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|home|root|Users|mnt)/\w")
HEAVY = (
    "torch",
    "transformers",
    "diffusers",
    "gradio",
    "cv2",
    "PIL",
    "mitsuba",
    "ray",
    "pandas",
    "matplotlib",
)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_rooms_know_only_the_rooms_behind_them():
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed")
    ran = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_importing_the_package_is_cheap():
    program = f"import sys, magic_ui; print([name for name in {HEAVY!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr


def test_no_file_needs_large_file_storage():
    large = [path.name for path in tracked_files() if path.stat().st_size > 10_000_000]
    assert not large


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_path_of_somebodys_machine():
    named = []
    for path in tracked_files():
        if path.suffix in {".py", ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".css", ".js"}:
            named += [path.name for line in path.read_text(encoding="utf-8").splitlines() if MACHINE_PATH.search(line)]
    assert not named
