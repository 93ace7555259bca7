"""URLs for messages: whatever may be a password in one is not shown."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

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
