"""What of the rules depends on the programme's data: parts of SQL, one for each cut-off or survey it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from prakerja_ledger.bulk.tables import LATE_AFTER, SURVEYS_BEGIN, bits
from prakerja_ledger.domain.schemes import Programme

POINTING: Final = (
    "REPORT_LAG",
    "PROGRAMME_HOLD",
    "ACCOUNT_NOT_ON_RECORD",
    "ACCOUNT_NOT_VERIFIED",
    "ACCOUNT_REJECTED",
)
"""Section 4.2: causes that add events to the evidence of a line; REVOKED does too."""


def day_literal(on: date) -> str:
    """A date in SQL."""
    return f"DATE '{on.isoformat()}'"


def parts(programme: Programme) -> Mapping[str, str]:
    """Each part by what stands for it in the rules: a name in braces, or the word for a cause."""
    schemes = programme.schemes.values()
    cut_offs = sorted({one.account_linked_by for one in schemes if one.account_linked_by})
    surveys = range(1, max((one.survey.count for one in schemes), default=0) + 1)
    named = {
        **_cut_off_parts(cut_offs),
        **_survey_parts(surveys),
        "surveys_begin": str(SURVEYS_BEGIN),
        "late_after": str(LATE_AFTER),
        "pointing_causes": str(sum(bits()[cause] for cause in POINTING)),
    }
    # causes as numbers: to look them up in the plan of every query would take longer than small queries do
    causes = {f"'{cause}'": str(bit) for cause, bit in bits().items()}
    return {**{f"{{{name}}}": part for name, part in named.items()}, **causes}


def _cut_off_parts(cut_offs: Iterable[date]) -> Mapping[str, str]:
    """Section 4.1: "account linked by" is judged at the end of that date, for each that a scheme has."""
    at, stood, own = ["true AS is_token"], ["true AS has_token"], []
    for i, on in enumerate(cut_offs):
        day = day_literal(on)
        at += [
            f"max(CASE WHEN kind = 'account-{kind}' AND day_of(stamp) <= {day} THEN stamp END) "
            f"AS {kind}_{i}"
            for kind in ("linked", "unlinked")
        ]
        stood.append(
            f"arg_max(coalesce(unlinked_{i} < linked_{i}, true), linked_{i}) AS stood_linked_{i}"
        )
        own.append(f"WHEN {day} THEN coalesce(k.stood_linked_{i}, false)")
    return {
        "linked_at_cut_offs": ",\n    ".join(at),
        "stood_linked": ", ".join(stood),
        "stood_linked_at_own_cut_off": f"CASE c.account_linked_by {' '.join(own)} END"
        if own
        else "NULL",
    }


def _survey_parts(surveys: Sequence[int]) -> Mapping[str, str]:
    """Section 4.1, survey/n: one column for the first submission of each survey that a scheme has."""

    def by_instalment(part: Callable[[int], str]) -> str:
        cases = " ".join(f"WHEN {n} THEN {part(n)}" for n in surveys)
        return f"CASE instalment {cases} END" if cases else "NULL"

    def each(part: Callable[[int], str], *others: str) -> str:
        return ", ".join([*others, *(part(n) for n in surveys)])

    missing = " ".join(f"WHEN survey_{n} IS NULL THEN {n}" for n in surveys)
    there = " + ".join(["0", *(f"CAST(s.survey_{n} IS NOT NULL AS INTEGER)" for n in surveys)])
    return {
        "submissions": each(
            lambda n: f"min(CASE WHEN survey = {n} THEN stamp END) AS survey_{n}",
            "true AS has_submission",
        ),
        "submission_names": each(
            lambda n: f"any_value(CASE WHEN survey = {n} THEN name END) AS survey_name_{n}",
            "count(*) AS submissions",
        ),
        "counting_submissions": each(
            lambda n: (
                f"CASE WHEN c.surveys_by IS NULL OR day_of(s.survey_{n}) <= c.surveys_by "
                f"THEN s.survey_{n} END AS survey_{n}"
            ),
            "true AS has_submissions",
        ),
        "own_submission_names": each(
            lambda n: f"s.survey_name_{n}", f"s.submissions = {there} AS are_plain_submissions"
        ),
        "first_survey_missing": f"CASE {missing} ELSE {len(surveys) + 1} END" if surveys else "1",
        "last_submission": by_instalment(
            lambda n: f"greatest({', '.join(f'day_of(survey_{m})' for m in range(1, n + 1))})"
        ),
        "late_submission": by_instalment(
            lambda n: " OR ".join(f"is_late(survey_{m})" for m in range(1, n + 1))
        ),
        "submitted_in_turn": " AND ".join(
            [
                "true",
                *(
                    f"coalesce(survey_{n} < survey_{n + 1}, survey_{n + 1} IS NULL)"
                    for n in surveys[:-1]
                ),
            ]
        ),
        "own_submission": by_instalment(lambda n: f"survey_{n}"),
        "surveys_until": by_instalment(
            lambda n: f"[{', '.join(f'survey_{m}' for m in range(1, n + 1))}]"
        ),
        "survey_names": by_instalment(_names_until),
        "is_plain_survey": by_instalment(_in_turn),
    }


def _names_until(n: int) -> str:
    names = ", ".join(
        f"CASE WHEN survey_{m} IS NOT NULL THEN survey_name_{m} END" for m in range(1, n + 1)
    )
    return f"concat_ws(',', settled_name, {names})"


def _in_turn(n: int) -> str:
    """Whether what a survey line points at stands in this order, as far as it is there.

    First settlement on post-training/1, submissions of surveys 1 to n, the line's own transfers.
    """
    stamps = ["first_settled", *(f"survey_{m}" for m in range(1, n + 1)), "begun"]
    steps = [
        f"coalesce({later} > greatest({', '.join(['0', *stamps[:i]])}), true)"
        for i, later in enumerate(stamps)
        if i
    ]
    plain = "coalesce(are_plain_submissions, true)"
    settled = "(first_settled IS NULL OR is_settled_plainly)"
    return " AND ".join([plain, settled, *steps])
