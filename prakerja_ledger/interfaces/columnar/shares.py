"""Shares of a Parquet history: all rows of some subjects each, to be judged apart from the others.

A share ends with the last subject of a row group. That subject's rows may go on in the next group, and
are then read from there: a share has every row of its subjects, and no row is in two shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from attrs import define, field

from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.interfaces.columnar.files import Part
from prakerja_ledger.interfaces.columnar.judging import Aside, AsideByNumber, Judge
from prakerja_ledger.interfaces.columnar.positions import Unsorted
from prakerja_ledger.interfaces.columnar.rows import BadRows
from prakerja_ledger.interfaces.columnar.subjects import groups, runs
from prakerja_ledger.interfaces.columnar.values import between, flat

Take = Callable[[Participant], None]


class Share(NamedTuple):
    """Some subjects, in the order of code points, and where their rows begin."""

    after: str | None
    """The subject before the first one; None: there is none before."""
    upto: str | None
    """The last one; None: there is none after."""
    group: int
    """The row group in which the first one stands."""


def shares(part: Part) -> list[Share] | None:
    """The shares of a file; None where it does not say which subjects its row groups hold."""
    spans = part.spans("subject")
    found: list[Share] = []
    after: str | None = None
    for _, group in groups([part]):
        span = spans[group]
        if span is None:
            return None
        if after is None or span[1] > after:
            found.append(Share(after, span[1], group))
            after = span[1]
    if found:
        found[-1] = found[-1]._replace(upto=None)
    return found


def tables(part: Part, share: Share) -> Iterator[Any]:
    """The rows of a share, as they stand."""
    spans = part.spans("subject")
    for group in range(share.group, part.groups):
        low, high = spans[group] or ("", None)
        if share.upto is not None and low > share.upto:
            return
        whole = (share.after is None or low > share.after) and (
            share.upto is None or (high is not None and high <= share.upto)
        )
        for table in part.read(group):
            if whole:
                yield table
                continue
            mask = between(flat(table)["subject"], share.after, share.upto)
            found = table.filter(mask)
            if found.num_rows:
                yield found
            if share.upto is not None and group > share.group and found.num_rows < table.num_rows:
                return  # whatever follows is of later subjects, or will be missed by the count


@define(eq=False)
class Outcomes:
    """What became of the rows of a share."""

    rows: int = 0
    """All of them, blank lines too."""
    recorded: int = 0
    aside: list[Aside] = field(factory=list)


def judge_share(
    judge: Judge, part: Part, share: Share, programme: Programme, apart: frozenset[str], take: Take
) -> Outcomes:
    """Judge every subject of a share and hand over each participant, by id, while the events are warm.

    `judge` has judged the subjects `apart` already, and is used for nothing else meanwhile. Raises
    BadRows where the rows do not stand by subject.
    """
    found = Outcomes()
    recorded, judge.recorded = judge.recorded, 0
    aside, judge.aside = judge.aside, AsideByNumber()
    try:
        for subject, rows in runs(_counted(tables(part, share), found), programme):
            if subject in apart:
                participant = judge.apart.participants.get(subject)
            else:
                judge.judge_alone(subject, rows, None)
                participant = judge.alone(subject)
            if participant is not None:
                take(participant)
        found.aside = list(judge.aside)
        found.recorded = judge.recorded
    except Unsorted:
        raise BadRows(Phrase("they do not stand by subject, though it says so")) from None
    finally:
        judge.aside.close()
        judge.recorded, judge.aside = recorded, aside
    return found


def _counted(given: Iterator[Any], found: Outcomes) -> Iterator[Any]:
    for table in given:
        found.rows += table.num_rows
        yield table
