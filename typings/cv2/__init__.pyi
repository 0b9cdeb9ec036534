# OpenCV's own stubs call every result a MatLike that fits no NDArray; here its functions are untyped instead.
from typing import Any

def __getattr__(name: str) -> Any: ...
