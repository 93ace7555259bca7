"""How the documentation is built: Sphinx, the Furo theme, Markdown by MyST. Warnings are errors."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import attrs

import prakerja_ledger
from prakerja_ledger.domain import errors

_setup = ConfigParser()
_setup.read(Path(__file__).parent.parent / "setup.cfg", encoding="utf-8")

project = "prakerja-ledger"
author = "the contributors of prakerja-ledger"
copyright = author  # noqa: A001  # Sphinx's own name
release = version = _setup["metadata"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore_regex = [
    # Python's own types, and Hypothesis': their pages are elsewhere, and a build asks no network
    ("py:class", r"(collections\.abc|datetime|hypothesis\.strategies|pathlib|threading)\.\w+"),
    # stands for what a secret is of: text, or bytes
    ("py:class", r"prakerja_ledger\.vault\.secret\.T"),
    # what an Evaluation hands from one of its methods to another
    ("py:class", r"prakerja_ledger\.domain\.streams\.Participant"),
]

html_theme = "furo"
html_title = "prakerja-ledger"
html_show_sphinx = False
html_show_copyright = False

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

_ERRORS = {
    name: f"prakerja_ledger.{'' if name in prakerja_ledger.__all__ else 'domain.errors.'}{name}"
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.PrakerjaLedgerError)
}
_CODE = re.compile(r"`([^`]+)`")
_METHOD = re.compile(r"(?:Ledger|Projection)\.\w+")
_ERROR = re.compile(rf"\b({'|'.join(_ERRORS)})\b")


def _linked(text: str) -> str:
    """A line of a docstring, which is Markdown, as reStructuredText: code is code, names are links."""
    parts = _CODE.split(text)  # outside, code, outside ...
    parts[::2] = [_ERROR.sub(lambda m: f":py:exc:`~{_ERRORS[m[1]]}`", part) for part in parts[::2]]
    parts[1::2] = [
        f":py:meth:`{code} <prakerja_ledger.{code}>`" if _METHOD.fullmatch(code) else f"``{code}``"
        for code in parts[1::2]
    ]
    return "".join(parts)


_DEFAULT = re.compile(r"attr_dict\['(\w+)'\]\.default")
_CONSTANT = re.compile(r"(?<== )_?[A-Z][A-Z_]+\b")


def _signature(
    _app: Any, _what: str, _name: str, of: Any, _options: Any, said: str | None, returned: str | None
) -> tuple[str | None, str | None] | None:
    """Defaults as values, where the source has a name that only the package knows."""
    if said is None:
        return None
    known = vars(sys.modules[of.__module__]) if hasattr(of, "__module__") else {}
    said = _DEFAULT.sub(lambda m: repr(attrs.fields_dict(of)[m[1]].default), said)
    said = _CONSTANT.sub(lambda m: _shown(m[0], known), said).replace("= NOTHING", "= ...")
    return said, returned


def _shown(name: str, known: dict[str, Any]) -> str:
    value = known.get(name)
    return repr(value) if isinstance(value, (int, float, str)) else name


def _docstring(_app: Any, _what: str, name: str, _of: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = [_linked(line) for line in lines if not line.startswith("Alias for field number")]


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
