"""A value worked out once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801  # used as a decorator, as property is
    """`functools.cached_property` without its lock.

    A dossier lives in one thread for a tenth of a millisecond and asks for a handful of these; the
    lock of Python 3.11 took longer than most of what it guarded.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> once[T]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> once[T] | T:
        if owner is None:
            return self
        value = self._work(owner)
        owner.__dict__[self._name] = value
        return value
