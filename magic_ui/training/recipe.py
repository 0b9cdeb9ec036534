"""A recipe file: everything that decides what a training run makes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One embedded model. The tables are passed to the constructors of diffusers and transformers as they stand."""

    name: str
    resolution: int
    seed: int
    autoencoder: dict[str, Any]
    unet: dict[str, Any]
    text_encoder: dict[str, Any]
    scheduler: dict[str, Any]
    tokenizer: dict[str, Any]
    autoencoder_training: dict[str, Any]
    diffusion_training: dict[str, Any]
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClipSegRecipe:
    """An embedded CLIPSeg. The tables are passed to the constructors of transformers as they stand."""

    name: str
    resolution: int
    seed: int
    model: dict[str, Any]
    vision_encoder: dict[str, Any]
    text_encoder: dict[str, Any]
    tokenizer: dict[str, Any]
    training: dict[str, Any]


@dataclass(frozen=True)
class OutlineRecipe:
    """An embedded segmenter. The tables are passed to ``ResNetConfig`` and ``UperNetConfig`` as they stand."""

    name: str
    resolution: int
    seed: int
    backbone: dict[str, Any]
    head: dict[str, Any]
    training: dict[str, Any]


_KINDS = {"inpainting": Recipe, "clipseg": ClipSegRecipe, "outline": OutlineRecipe}


def load_recipe(name_or_path: str) -> Recipe | ClipSegRecipe | OutlineRecipe:
    """A recipe by its name in ``magic_ui/training/recipes`` or by the path of a TOML file.

    Raises:
        InputError: no such recipe, or tables missing from it.
    """
    path = RECIPES / f"{name_or_path}.toml"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise InputError("recipe", f"there is no such recipe; embedded recipes are {known}")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return _KINDS[tables.pop("kind", "inpainting")](**tables)
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as error:
        raise InputError("recipe", f"{path.name} is not a recipe: {error}") from error
