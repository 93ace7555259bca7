"""The URL of a PostgreSQL ledger: what is ours in it, and what is libpq's."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from attrs import frozen

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.ledger.shards import MOST_SHARDS

SCHEMA: Final = "prakerja_ledger"
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII).fullmatch
_OURS: Final = frozenset({"schema", "shards", "functions", "pool", "pool_timeout"})
_PATIENCE: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""libpq's own settings, where the URL has none: a peer that is gone is noticed within half a minute."""


@frozen(kw_only=True)
class PostgresURL:
    """`postgresql://user@host:port/database?schema=…&shards=…`, taken apart."""

    url: str
    conninfo: str
    """What libpq is given: the URL without what is ours."""
    schema: str = SCHEMA
    shards: int | None = None
    """How many shards a new ledger gets, or a ledger must have; None: one, or whatever it has."""
    functions: bool = True
    """Whether the schema may use functions and triggers; engines like PostgreSQL may have none."""
    pool: int = 10
    """Connections of this process at most."""
    pool_timeout: float = 30.0
    """Seconds to wait for one of them."""

    @property
    def shown(self) -> str:
        """The URL for messages: without the password."""
        parts = urlsplit(self.url)
        if parts.password is None:
            return self.url
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{host}"))


def parse_url(url: str) -> PostgresURL:
    """Take a URL apart. Raises UnreadableSource where what is ours in it makes no sense."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    theirs = {**_PATIENCE, **{k: v for k, v in options.items() if k not in _OURS}}
    theirs.setdefault("application_name", "prakerja-ledger")
    read = PostgresURL(
        url=url,
        conninfo=urlunsplit(parts._replace(scheme="postgresql", query=urlencode(theirs))),
        schema=options.get("schema", SCHEMA),
        shards=_number(url, options, "shards", MOST_SHARDS),
        functions=options.get("functions", "yes") != "no",
        pool=_number(url, options, "pool", 1_000) or 10,
        pool_timeout=float(_number(url, options, "pool_timeout", 86_400) or 30),
    )
    if not _NAME(read.schema):
        raise UnreadableSource(
            source=read.shown,
            problem=f"schema={read.schema} is no plain name. Use lower case letters, digits and _.",
        )
    return read


def _number(url: str, options: dict[str, str], name: str, most: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise UnreadableSource(
            source=url.partition("@")[2] or url,
            problem=f"{name}={text} is no number from 1 to {most}. Correct it.",
        )
    return int(text)
