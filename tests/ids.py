"""Names of parametrised values that are the same in every worker."""

import re


def stable_id(value: object) -> str:
    """``repr`` without memory addresses."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
