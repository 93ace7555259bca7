"""What must not be seen by accident: a value that shows itself to nobody who does not ask for it."""

from __future__ import annotations

import hmac
from typing import Any, Final, Generic, NoReturn, TypeVar, final

MASK: Final = "••••••"
"""Of one length, whatever it stands for: the length of a name tells something too."""

T = TypeVar("T", str, bytes)


@final
class Secret(Generic[T]):
    """A text or bytes that no repr, format, log line, traceback or pickle shows.

    Not a str: what formats, joins or encodes strings must fail here, rather than succeed.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value: T = value

    def exposed(self) -> T:
        """The value itself. Whoever calls this is answerable for where it goes."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._value), _bytes(other._value))

    def __hash__(self) -> NoReturn:
        raise TypeError("a secret is no key of a dict, which would compare it by its hash")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
