"""Which checkpoints there are, where they lie, and whether they are what was published."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import CheckpointError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKSUMS = "SHA256SUMS"
"""File in a checkpoint's folder: one ``<sha256>  <relative path>`` a line, for every other file but the model card."""


@dataclass(frozen=True)
class RegistryEntry:
    """One checkpoint as ``checkpoints/registry.toml`` lists it."""

    name: str
    kind: str
    resolution: int
    licence: str
    languages: tuple[str, ...] = ("en",)
    folder: str | None = None
    hub: str | None = None
    revision: str | None = None
    sha256: str | None = None
    title: dict[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether the weights lie in this repository."""
        return self.folder is not None


def checkpoints_root() -> Path:
    """The folder with ``registry.toml``: ``MAGIC_UI_CHECKPOINTS`` or ``checkpoints`` beside the package."""
    configured = os.environ.get("MAGIC_UI_CHECKPOINTS")
    return Path(configured) if configured else Path(__file__).resolve().parents[1] / "checkpoints"


@lru_cache(maxsize=4)
def _read_registry(path: Path) -> dict[str, RegistryEntry]:
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: RegistryEntry(name=name, **{**values, "languages": tuple(values.get("languages", ("en",)))})
        for name, values in entries.items()
    }


def registry(kind: str | None = None) -> dict[str, RegistryEntry]:
    """All registered checkpoints by name, or those of one kind (``inpainting``, ``clipseg``, ``outline``,
    ``features``)."""
    path = checkpoints_root() / "registry.toml"
    if not path.is_file():
        raise CheckpointError("the registry checkpoints/registry.toml is missing from this installation")
    return {name: entry for name, entry in _read_registry(path).items() if kind in (None, entry.kind)}


def resolve(name_or_folder: str | os.PathLike[str]) -> tuple[str, Path, str | None, RegistryEntry | None]:
    """``(name, folder, expected sha256, registry entry)`` of a registry name or of a folder on disk.

    Hub checkpoints are fetched (safetensors and text files only) into the usual Hugging Face cache.

    Raises:
        CheckpointError: unknown name, missing folder, or a hub that cannot be reached.
    """
    text = os.fspath(name_or_folder)
    if not isinstance(text, str) or not text or "\0" in text or len(text) > 255:
        raise CheckpointError("a checkpoint is a registry name or a folder of at most 255 characters")
    known = registry()
    if text in known:
        entry = known[text]
        if entry.folder is not None:
            return entry.name, checkpoints_root() / entry.folder, entry.sha256, entry
        return entry.name, _fetch(entry), None, entry
    folder = Path(text)
    if folder.is_dir():
        return folder.resolve().name, folder, None, None
    raise CheckpointError(f"no checkpoint of that name or folder; registered are {', '.join(known)}")


def _fetch(entry: RegistryEntry) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = ["*.safetensors"] if entry.kind != "inpainting" else []  # a pipeline's root may hold one huge file
    patterns += ["*/*.safetensors", "*/*.safetensors.index.json", "*/*.json", "*/*.txt", "*.json", "LICENSE*"]
    ignore = ["*fp16*", "*non_ema*", "safety_checker/*"]
    try:
        return Path(
            snapshot_download(entry.hub or "", revision=entry.revision, allow_patterns=patterns, ignore_patterns=ignore)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{entry.name} lives on the model hub as {entry.hub} and could not be fetched; check the connection, "
            "or use an embedded checkpoint",
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return (
            hashlib.file_digest(stream, "sha256").hexdigest()
            if sys.version_info >= (3, 11)
            else hashlib.sha256(stream.read()).hexdigest()
        )


def folder_checksums(folder: Path) -> dict[str, str]:
    """Relative path → SHA-256 of every file below ``folder`` but the checksums, the model card and hidden files."""
    files = sorted(
        p
        for p in folder.rglob("*")
        if p.is_file()
        and p.name not in (CHECKSUMS, "README.md")
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )
    return {p.relative_to(folder).as_posix(): file_sha256(p) for p in files}


def combined_sha256(checksums: dict[str, str]) -> str:
    """One SHA-256 for a whole folder: of its sorted ``<sha256>  <path>`` lines."""
    return hashlib.sha256("".join(f"{checksums[k]}  {k}\n" for k in sorted(checksums)).encode()).hexdigest()


def write_checksums(folder: Path) -> str:
    """Write ``SHA256SUMS`` into a finished checkpoint folder and return its combined SHA-256."""
    checksums = folder_checksums(folder)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(checksums.items()))
    (folder / CHECKSUMS).write_text(lines, encoding="utf-8")
    return combined_sha256(checksums)


def verify_folder(folder: Path, expected: str | None) -> str:
    """The folder's combined SHA-256, after comparing it with the registry's and with ``SHA256SUMS`` where they exist.

    Raises:
        CheckpointError: names the first file that is missing, changed or unlisted.
    """
    found = folder_checksums(folder)
    listing = folder / CHECKSUMS
    if listing.is_file():
        lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
        listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines if line.strip())}
        for name in sorted(listed.keys() | found.keys()):
            if listed.get(name) != found.get(name):
                state = (
                    "missing"
                    if name not in found
                    else "not listed in its checksums"
                    if name not in listed
                    else "damaged: its SHA-256 differs from the published one"
                )
                raise CheckpointError(f"the file {name!r} is {state}; restore the folder and try again")
    digest = combined_sha256(found)
    if expected is not None and digest != expected:
        raise CheckpointError("the folder's SHA-256 differs from the registry's; restore the folder")
    return digest


def check_weights(name: str, folder: Path) -> None:
    """Every weight file is safetensors that opens, with finite values; there is at least one."""
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointError(
            f"{name}: {folder.name} holds no .safetensors file; pickled weights are never opened, convert them first"
        )
    for path in files:
        try:
            with safe_open(path, framework="pt") as tensors:
                bad = next((key for key in tensors.keys() if not _finite(tensors.get_tensor(key))), None)  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(
                f"{name}: {folder.name}/{path.name} is empty, truncated or not safetensors"
            ) from error
        if bad is not None:
            raise CheckpointError(f"{name}: the weight {bad} in {folder.name} holds NaN or infinity")


def _finite(tensor: Any) -> bool:
    import torch

    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
