"""How the documentation is built: Sphinx, the Furo theme, Markdown by MyST. Warnings are errors."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

_setup = ConfigParser()
_setup.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")

project = "prakerja-ledger"
author = "the contributors of prakerja-ledger"
copyright = author  # noqa: A001  # Sphinx's own name
release = version = _setup["metadata"]["version"]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "prakerja-ledger"
html_show_sphinx = False
html_show_copyright = False

myst_heading_anchors = 3
