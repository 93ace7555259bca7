"""The URL of a PostgreSQL ledger: what is ours in it, and what is libpq's."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from attrs import field, frozen
from psycopg.conninfo import conninfo_to_dict

from prakerja_ledger.domain.errors import UnreadableSource
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.ledger.shards import MOST_SHARDS
from prakerja_ledger.ledger.urls import without_password

SCHEMA: Final = "prakerja_ledger"
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII).fullmatch
_OURS: Final = frozenset(
    {"schema", "shards", "functions", "hints", "pool", "pool_timeout", "answer_timeout"}
)
_PATIENCE: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""libpq's own settings, where the URL has none: a peer that is gone is noticed within half a minute."""
_FIXED: Final = {"client_encoding": "UTF8"}
"""Whatever the database or the environment prefers: names are of any characters."""


@frozen(kw_only=True)
class PostgresURL:
    """`postgresql://user@host:port/database?schema=…&shards=…`, taken apart."""

    url: str = field(repr=False)
    conninfo: str = field(repr=False)
    """What libpq is given: the URL without what is ours."""
    schema: str = SCHEMA
    shards: int | None = None
    """How many shards a new ledger gets, or a ledger must have; None: one, or whatever it has."""
    functions: bool = True
    """Whether the schema may use functions and triggers; engines like PostgreSQL may have none."""
    hints: bool = False
    """Whether writers tell those who follow, and those listen."""
    pool: int = 10
    """Connections of this process at most."""
    pool_timeout: float = 30.0
    """Seconds to wait for one of them."""
    answer_timeout: float = 60.0
    """Seconds to wait for an answer; longer than a writer waits for its turn."""

    @property
    def shown(self) -> str:
        """The URL for messages: without a password."""
        return without_password(self.url)


def parse_url(url: str, schema: str = SCHEMA) -> PostgresURL:
    """Take a URL apart; `schema` is where it names none. Raises UnreadableSource for nonsense."""
    parts = _parts(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    theirs = {**_PATIENCE, **{k: v for k, v in options.items() if k not in _OURS}, **_FIXED}
    theirs.setdefault("application_name", "prakerja-ledger")
    read = PostgresURL(
        url=url,
        conninfo=urlunsplit(parts._replace(scheme="postgresql", query=urlencode(theirs))),
        schema=options.get("schema", schema),
        shards=_number(url, options, "shards", MOST_SHARDS),
        functions=options.get("functions", "yes") != "no",
        hints=options.get("hints", "no") == "yes",
        pool=_number(url, options, "pool", 1_000) or 10,
        pool_timeout=float(_number(url, options, "pool_timeout", 86_400) or 30),
        answer_timeout=float(_number(url, options, "answer_timeout", 86_400) or 60),
    )
    if not _NAME(read.schema):
        raise UnreadableSource(
            source=read.shown,
            problem=Phrase(
                "schema={schema} is no plain name. Use lower case letters, digits and _.",
                schema=read.schema,
            ),
        )
    try:
        conninfo_to_dict(read.conninfo)
    except psycopg.Error:  # its text may quote a part of the password
        raise _no_url(url) from None
    return read


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may quote a part of the password
        raise _no_url(url) from None
    if parts.fragment or "@" in parts.path or "@" in parts.netloc.rpartition("@")[0]:
        raise _no_url(url)
    return parts


def _no_url(url: str) -> UnreadableSource:
    return UnreadableSource(
        source=without_password(url),
        problem=Phrase(
            "it is no URL that libpq understands. Write "
            "postgresql://user:password@host/database?option=value, and in a name or password @ as "
            "%40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25."
        ),
    )


def _number(url: str, options: dict[str, str], name: str, most: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise UnreadableSource(
            source=without_password(url),
            problem=Phrase(
                "{name}={text} is no number from 1 to {most}. Correct it.",
                name=name,
                text=text,
                most=most,
            ),
        )
    return int(text)
