"""The page, on a desktop or as a Space: ``python app.py``."""

from magic_ui.ui import launch

if __name__ == "__main__":
    launch()
