"""``python -m magic_ui``."""

from .cli import main

if __name__ == "__main__":
    main()
