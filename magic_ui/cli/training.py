"""The command that trains: embedded checkpoints from their recipes, any checkpoint on real pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .options import Checkpoint, Seed, words


def train(
    data: Annotated[Path | None, typer.Option("--data", help="Folder of rendered pairs, for a recipe.")] = None,
    recipe: Annotated[str, typer.Option("--recipe", help="Embedded recipe or TOML file.")] = "magic-tiny",
    output: Annotated[Path, typer.Option("--output", "-o", "--output_name", help="Folder of the run.")] = Path(
        "runs/magic-tiny"
    ),
    device: Annotated[str, typer.Option("--device")] = "auto",
    limit: Annotated[int | None, typer.Option("--limit", help="Use only so many scenes.")] = None,
    start_from: Annotated[
        Path | None, typer.Option("--start-from", help="Checkpoint folder whose fitting weights are taken over.")
    ] = None,
    from_stage: Annotated[
        int, typer.Option("--from-stage", help="First stage of the recipe to train, from 0; needs --start-from.")
    ] = 0,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="torch.compile for a recipe's UNet; needs a C++ compiler.")
    ] = False,
    base_dir: Annotated[
        Path | None, typer.Option("--base_dir", "--base-dir", help="Data set of real defects: fine-tune --checkpoint.")
    ] = None,
    checkpoint: Checkpoint = "magic-tiny",
    category: Annotated[
        str | None, typer.Option("--category", "--categories", help="Of the data set, with commas; default: all.")
    ] = None,
    dataset_type: Annotated[str, typer.Option("--dataset_type", help="ds-mvtec or mvtec-ad.")] = "ds-mvtec",
    use_ds_captions: Annotated[
        bool, typer.Option("--use_ds_captions/--no_ds_captions", help="Also train on the published sentences.")
    ] = True,
    ds_caption_xlsx: Annotated[
        Path | None, typer.Option("--ds_caption_xlsx", help="Captions workbook, if not the data set's own.")
    ] = None,
    attribute_words: Annotated[
        bool, typer.Option("--attribute-words/--no-attribute-words", help="Captions say how severe, thick, shaped.")
    ] = True,
    bilingual: Annotated[
        bool, typer.Option("--bilingual/--no-bilingual", help="Captions of a bilingual checkpoint in both languages.")
    ] = True,
    train_share: Annotated[
        float, typer.Option("--train-share", help="Share of every defect, by file name, that trains.")
    ] = 1 / 3,
    pseudo_normals: Annotated[
        str, typer.Option("--pseudo-normals", help="Stand-ins for normal pictures: patches, model or none.")
    ] = "patches",
    steps: Annotated[int, typer.Option("--steps")] = 3000,
    batch_size: Annotated[int, typer.Option("--batch-size")] = 4,
    learning_rate: Annotated[float, typer.Option("--learning-rate", "--lr")] = 5e-6,
    lora_rank: Annotated[int, typer.Option("--lora-rank", help="0: the whole UNet.")] = 0,
    text_noise_scale: Annotated[
        float, typer.Option("--text_noise_scale", "--text-noise-scale", help="GPP's sigma.")
    ] = 1.0,
    text_noise: Annotated[
        str, typer.Option("--text-noise", help="fixed, as published, or uniform: drawn below sigma for each sample.")
    ] = "fixed",
    caption_dropout: Annotated[float, typer.Option("--caption-dropout")] = 0.1,
    masked_share: Annotated[
        float, typer.Option("--masked-share", help="Samples conditioned on the masked picture, of a paired checkpoint.")
    ] = 0.3,
    ema_decay: Annotated[float, typer.Option("--ema-decay", help="0: no averaging, for less memory.")] = 0.999,
    gradient_checkpointing: Annotated[bool, typer.Option("--gradient-checkpointing")] = False,
    mixed_precision: Annotated[str, typer.Option("--mixed-precision", help="auto, no or bf16.")] = "auto",
    save_every: Annotated[int, typer.Option("--save-every", help="Steps between saved states.")] = 200,
    sample_every: Annotated[int, typer.Option("--sample-every", help="Steps between sample grids; 0: none.")] = 500,
    licence: Annotated[
        str, typer.Option("--licence", help="For the model card.")
    ] = "not stated; that of the training pictures applies",
    seed: Seed = 0,
) -> None:
    """Train a model (extra `train`); resumes after an interruption.

    With --base_dir any checkpoint is fine-tuned on real defect pictures; with --data an embedded one is made from its
    recipe.
    """
    if base_dir is None:
        if data is None:
            raise InputError("base_dir", "give --base_dir (real pictures) or --data (rendered pairs, for a recipe).")
        _from_recipe(recipe, data, output, device, limit, start_from, from_stage, compiled)
        return
    from ..batch import DATASET_TYPES
    from ..checks import require_choice, require_seed
    from ..training.finetune import FineTuning
    from ..training.run import TrainingData, fine_tune_dataset

    require_seed(seed)
    pictures = TrainingData(
        base_dir,
        DATASET_TYPES[require_choice("dataset_type", dataset_type, DATASET_TYPES)],
        tuple(words(category) or ()) or None,
        ds_caption_xlsx,
        train_share,
        pseudo_normals,
        licence,
    )
    settings = FineTuning(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        lora_rank=lora_rank,
        text_noise_scale=text_noise_scale,
        text_noise=text_noise,
        caption_dropout=caption_dropout,
        masked_share=masked_share,
        use_ds_captions=use_ds_captions,
        attribute_words=attribute_words,
        bilingual=bilingual,
        ema_decay=ema_decay,
        gradient_checkpointing=gradient_checkpointing,
        mixed_precision=mixed_precision,
        save_every=save_every,
        sample_every=sample_every,
        seed=seed,
    )
    typer.echo(fine_tune_dataset(checkpoint, pictures, settings, output, device=device))


def _from_recipe(
    recipe: str,
    data: Path,
    output: Path,
    device: str,
    limit: int | None,
    start_from: Path | None,
    from_stage: int,
    compiled: bool,
) -> None:
    from ..training.recipe import ClipSegRecipe, OutlineRecipe, load_recipe

    chosen = load_recipe(recipe)
    if isinstance(chosen, ClipSegRecipe):
        from ..training.clipseg import train_clipseg

        typer.echo(train_clipseg(chosen, data, output, device=device, limit=limit))
    elif isinstance(chosen, OutlineRecipe):
        from ..training.outline import train_outline

        typer.echo(train_outline(chosen, data, output, device=device, limit=limit))
    else:
        from ..training.build import train_from_scratch

        typer.echo(
            train_from_scratch(
                chosen,
                data,
                output,
                device=device,
                limit=limit,
                start_from=start_from,
                from_stage=from_stage,
                compiled=compiled,
            )
        )
