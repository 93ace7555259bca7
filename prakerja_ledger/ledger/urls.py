"""URLs: which store they lead to, and how they are shown, without whatever may be a password."""

from __future__ import annotations

import importlib
import re
from typing import Any, Final
from urllib.parse import unquote_plus

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.fields import shown
from prakerja_ledger.domain.phrases import Phrase

_PASSWORD: Final = re.compile(r"(//[^:/@?#]*):.*@", re.DOTALL)
"""As far as the last @: a password that was not escaped may hold any character."""
_SECRET: Final = re.compile(r"password|secret").search


def without_password(url: str) -> str:
    """The URL with *** for its password, wherever it stands in it, and however it is garbled."""
    place, mark, query = _PASSWORD.sub(r"\1:***@", url).partition("?")
    options = []
    for option in query.split("&"):
        name, equals, _ = option.partition("=")
        options.append(f"{name}{equals}***" if _SECRET(unquote_plus(name)) else option)
    return place + mark + "&".join(options)


def imported(module: str, scheme: str) -> Any:
    """The module of a store. Raises UnreadableSource, with the extra that brings its driver."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UnreadableSource(
            source=f"{scheme}://…",
            problem=Phrase(
                "{package} is not installed. Install prakerja-ledger[postgres].",
                package=str(error.name),
            ),
        ) from error


def check_source(source: object) -> None:
    """Raise UnreadableSource for what is no text."""
    if not isinstance(source, str):
        raise UnreadableSource(
            source=shown(source),
            problem=Phrase(
                "it is no text. Write the name of a file, or a URL such as sqlite:///ledger.db."
            ),
        )


def check_url(url: str) -> None:
    """Raise UnreadableSource for what is no text, or is one that has no bytes."""
    check_source(url)
    try:
        url.encode()
    except UnicodeEncodeError:
        raise UnreadableSource(
            source=shown(without_password(url)),
            problem=Phrase(
                "it holds half a surrogate pair, which stands for no character. Correct it."
            ),
        ) from None
