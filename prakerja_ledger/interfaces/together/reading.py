"""One process's part in reading a history together: it judges shares and answers for them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from attrs import define

from prakerja_ledger.domain.schemes import Programme
from prakerja_ledger.domain.streams import Participant
from prakerja_ledger.interfaces.columnar.judging import Judge
from prakerja_ledger.interfaces.columnar.reading import ColumnarHistory
from prakerja_ledger.interfaces.columnar.shares import Outcomes, Share
from prakerja_ledger.interfaces.together.questions import Asked, Law, Question, Withheld
from prakerja_ledger.reading.case import look_at_packages
from prakerja_ledger.reading.dossier import look_at_programme
from prakerja_ledger.reading.view import View


@define(eq=False)
class ShareAnswer:
    """What became of a share's rows, and its answers, one a question."""

    outcomes: Outcomes
    answers: list[Any]
    withheld: Withheld


@define(eq=False)
class Asking:
    """Questions in one view; no view and no questions where rows are only to be judged."""

    programme: Programme
    view: View | None
    questions: tuple[Question, ...]


def law_of(asking: Asking, judge: Judge) -> Law | None:
    """What the answers rest on, of a judge who has judged packages and programme."""
    view = asking.view
    if view is None:
        return None
    apart = judge.apart
    return Law(
        view,
        asking.programme,
        look_at_programme(apart.programme_stream, view),
        look_at_packages(apart.packages, view),
    )


def _passed_over(_: Participant) -> None:
    """Nothing is asked of anybody."""


def answerer(
    history: ColumnarHistory, judge: Judge, apart: frozenset[str], asking: Asking
) -> Callable[[Share], ShareAnswer]:
    """What answers for shares of an open history; nobody else may use the judge meanwhile."""
    law = law_of(asking, judge)

    def answer(share: Share) -> ShareAnswer:
        if law is None:
            return ShareAnswer(history.judge_share(judge, share, apart, _passed_over), [], [])
        asked = Asked(law, asking.questions)
        outcomes = history.judge_share(judge, share, apart, asked.take)
        return ShareAnswer(outcomes, asked.answers(), asked.withheld)

    return answer


def begin(name: str, apart: frozenset[str], asking: Asking) -> Callable[[Share], ShareAnswer]:
    """The same in a process of its own, which ends with it."""
    gc.disable()  # millions of objects without cycles
    history = ColumnarHistory(name, asking.programme).__enter__()
    judge, _, _ = history.begun((), None, apart)
    return answerer(history, judge, apart, asking)
