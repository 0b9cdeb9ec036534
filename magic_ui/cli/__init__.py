"""Command line: ``python -m magic_ui COMMAND``; ``--help`` lists the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import InputError
from . import aligning, models, painting, synthesis, training
from .options import Checkpoint, InstructionArgument, print_json

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Realistic defects on pictures of normal parts, from a sentence in Chinese or English.",
)
for command in (
    painting.mask,
    painting.generate,
    painting.sweep,
    aligning.align,
    models.render,
    training.train,
    models.evaluate,
    synthesis.synthesize,
):
    app.command()(command)


@app.command()
def parse(instruction: InstructionArgument) -> None:
    """Print what a sentence is understood as, as JSON."""
    from ..instruction import parse_instruction

    print_json([spec.to_dict() for spec in parse_instruction(instruction)])


@app.command(name="app")
def serve(
    checkpoint: Checkpoint = "magic-tiny",
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port")] = 7860,
) -> None:
    """Start the web page."""
    from ..ui import launch

    launch(checkpoint=checkpoint, server_name=host, server_port=port)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Entry point: an :class:`InputError` ends with its sentence and exit code 2, never with a traceback."""
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
