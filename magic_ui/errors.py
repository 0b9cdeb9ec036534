"""Errors that a person can act on: which field, what was received, what to do."""

from __future__ import annotations


class MagicError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(MagicError, ValueError):
    """A value from outside that cannot be used.

    The message names what was received and what to do. It never holds a path or a traceback, so it can be
    shown to a visitor as it is.

    Args:
        field: the parameter or form field at fault, as the caller knows it ("image", "anomaly_strength").
        message: the reason and the remedy, read after the field's name.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class CheckpointError(InputError):
    """A checkpoint that is missing, damaged or not of the expected kind."""

    def __init__(self, message: str, *, field: str = "checkpoint") -> None:
        super().__init__(field, message)
        self.args = (message,)
