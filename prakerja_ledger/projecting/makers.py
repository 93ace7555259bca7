"""Several processes that make rows, while this one reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import date
from typing import Self

from attrs import define

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.ledger.journal import (
    PACKAGE_PREFIX,
    PROGRAMME_STREAM,
    Looking,
    StoredLine,
)
from prakerja_ledger.ledger.mapper import LedgerMapper
from prakerja_ledger.ledger.streams import JournalStreams
from prakerja_ledger.processes import Helpers
from prakerja_ledger.projecting.maker import Found, Maker
from prakerja_ledger.projecting.rows import OwnRows
from prakerja_ledger.reading.view import View


@define(eq=False)
class CommonLines:
    """What participants' rows rest on besides: the lines of the programme and of the packages."""

    lines: Mapping[str, list[StoredLine]]

    @classmethod
    def of(cls, reading: Looking) -> Self:
        """Those of a ledger, as it is now."""
        programme = {PROGRAMME_STREAM: list(reading.stream(PROGRAMME_STREAM))}
        return cls({**programme, **dict(reading.streams(PACKAGE_PREFIX))})

    def stream(self, name: str, known: int = 0) -> Sequence[StoredLine]:
        """The lines of a stream after the first `known` ones."""
        return self.lines.get(name, [])[known:]

    def streams(self, prefix: str) -> Iterator[tuple[str, list[StoredLine]]]:
        """Every stream of a prefix, by name in the order of code points, with its lines."""
        return (one for one in sorted(self.lines.items()) if one[0].startswith(prefix))


class Makers(Helpers[Sequence[Found], list[OwnRows]]):
    """Processes that make rows. What those rest on is given once, as it was when they began."""

    def __init__(
        self, processes: int, common: CommonLines, programme: Programme, day: date
    ) -> None:
        super().__init__(
            processes,
            _maker_of,
            (common, programme, day),
            source=Phrase("the processes that make rows"),
            advice=Phrase("What is written stays; go on with fewer processes."),
        )

    def rows(self, found: Sequence[Found]) -> Future[list[OwnRows]]:
        """Have the rows of participants made. Its result raises LedgerFault where a process died."""
        return self.ask(found)


def _maker_of(
    common: CommonLines, programme: Programme, day: date
) -> Callable[[Sequence[Found]], list[OwnRows]]:
    """What a process makes rows with."""
    return Maker(JournalStreams(common, LedgerMapper()), programme, View(as_of=day)).rows
