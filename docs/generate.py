"""Write docs/reference/ from the code: names, fields, sentences and help texts are never typed twice.

    python docs/generate.py            write the pages
    python docs/generate.py --check    exit 1 and say which page differs from the code

What the code does not say in words (when an event may be recorded, when a finding is true) is
written here, in tables that must name every kind, status, cause code and finding the code knows.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import attrs
import click
from click.testing import CliRunner

import prakerja_ledger
from prakerja_ledger.deciding import four_eyes, rules
from prakerja_ledger.deciding.commands import FACT_OF, Command, Instruct
from prakerja_ledger.domain import errors, facts, vocabulary
from prakerja_ledger.domain.errors import InvalidField, PrakerjaLedgerError, Refusal, Refused
from prakerja_ledger.domain.facts import FACTS, Course
from prakerja_ledger.domain.fields import LARGEST_INTEGER
from prakerja_ledger.domain.holidays import INDONESIA
from prakerja_ledger.domain.register import Register
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA, Scheme
from prakerja_ledger.domain.time import LONGEST_TEXT
from prakerja_ledger.evidence.columns import COLUMNS, VERSION, VERSION_KEY, Kind
from prakerja_ledger.evidence.json_line import DEEPEST_NESTING, LONGEST_LINE
from prakerja_ledger.evidence.wire import CANONICAL, KEPT_ATTRIBUTES, read_event
from prakerja_ledger.interfaces.cli import explain
from prakerja_ledger.interfaces.cli.main import COMMANDS, cli
from prakerja_ledger.interfaces.cli.status import Status as ExitStatus
from prakerja_ledger.reading.causes import OWNED_BY_REASON, OWNERS, Cause
from prakerja_ledger.reading.finding import Code
from prakerja_ledger.reading.record_checks import LATE_AFTER_WORKING_DAYS
from prakerja_ledger.reading.statement import Standing, Status
from prakerja_ledger.simulating import regencies
from prakerja_ledger.simulating.parameters import PARAMETERS, Basis
from prakerja_ledger.simulating.sources import SOURCES
from prakerja_ledger.simulating.waves import WAVES
from prakerja_ledger.testing import plugin

HERE: Final = Path(__file__).parent
REFERENCE: Final = HERE / "reference"
MARK: Final = "<!-- Written by docs/generate.py from the code. Edit the code or that file, not this page. -->\n\n"


# --- Markdown ------------------------------------------------------------------------------------


def cell(text: Any) -> str:
    """Text for a table cell: one line, and no bar that would end the cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    heads = list(headings)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell(one) for one in line) + " |\n" for line in lines)


def code(text: Any) -> str:
    return f"`{text}`"


def rupiah(amount: int) -> str:
    return f"{amount:,}"


def sentence(text: str) -> str:
    """A template with its fields, as a sentence with a capital; the fields in italics stay names."""
    return text[:1].upper() + text[1:]


def docstring(of: Any) -> str:
    return " ".join((of.__doc__ or "").split())


# --- history format ------------------------------------------------------------------------------


def history_format() -> str:
    kept = ", ".join(code(name) for name in KEPT_ATTRIBUTES)
    return f"""# History format 1

A history is a file of events, one [CloudEvents 1.0](https://github.com/cloudevents/spec) JSON
object a line. The order of the lines is the order of recording: what an event refers to stands
before it.

```json
{{"specversion":"1.0","id":"e-17","source":"//skillacademy","type":"prakerja.certificate-issued.v1","subject":"P-000042","time":"2020-05-19T10:00:00+07:00","recordedtime":"2020-06-02T09:00:00+07:00","data":{{"course":"C-1","certificate":"SA-0001"}}}}
```

{table(("attribute", "rule"), [
    (code("specversion"), code('"1.0"')),
    (f"{code('source')} and {code('id')}", "non-empty texts; together the identity of the event, and so its idempotency key"),
    (code("type"), "one of the [event types](events.md)"),
    (code("subject"), "the participant's opaque id; of package events the package id; of programme events `programme`. Never an identity number, a name, a telephone or an account number (advice; not checked)"),
    (code("time"), "RFC 3339 with offset: when it happened in the world"),
    (code("recordedtime"), "RFC 3339 with offset, optional: when the programme learned of it. Absent: equal to `time`. Never before `time`"),
    (code("data"), "an object with exactly the fields of its [event type](events.md)"),
    (kept, "kept and ignored"),
    ("`x` and up to 19 of `a-z0-9`", "an extension with any JSON value; kept and ignored"),
])}
Any other attribute is an error.

- **Limits**: `source`, `id`, `subject`, the times and every text in `data` have at most {LONGEST_TEXT} characters
  (code points). Integers in `data` are at most 2^53−1 = {rupiah(LARGEST_INTEGER)} in size. A line has
  at most {rupiah(LONGEST_LINE)} bytes without its LF, and nests at most {DEEPEST_NESTING} levels deep
  (the event object is the first).
- **Money**: Whole rupiah, a JSON integer. `600000.0`, `"600000"` and `true` are not money.
- **Timestamps**: RFC 3339 with offset; `t` and `z` may be lower case; no space for the `T`, no second 60, no hour 24;
  the years 0001 to 9999, also in WIB (UTC+7). Any number of fraction digits, compared exactly.
  A *date* always means the calendar date in WIB.
- **Files**: UTF-8 without a byte order mark, LF at the end of a line (a CR before it is white space). Lines of
  only space, tab and CR are blank: skipped, and still counted as line numbers. The last line may
  lack its LF. `.jsonl` is plain, `.jsonl.gz` and `.jsonl.zst` are compressed;
  Parquet has [a section of its own](#in-columns).

Every line that is not blank ends as exactly one of three:

- *recorded*: it is part of the history from then on;
- *duplicate*: its identity is recorded already with the same `type`, `subject`, `time` (as an instant) and `data`.
  It is counted and changes nothing;
- *quarantined*: it has no effect. It is kept whole, with its line number, a [code](quarantine.md) and a sentence
  that says what to do.

The three counts add up to the number of lines that are not blank, and are always printed.

{columnar()}"""


COLUMN_TYPES: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.INTEGER: ("int64", "BIGINT"),
    Kind.TEXT: ("string", "VARCHAR"),
    Kind.FLAG: ("bool", "BOOLEAN"),
    Kind.INSTANT: ("timestamp[us, UTC]", "TIMESTAMP WITH TIME ZONE"),
    Kind.DAY: ("date32", "DATE"),
    Kind.TEXTS: ("list<string>", "VARCHAR[]"),
    Kind.COURSES: (
        "list<struct<course: string, institution: string>>",
        "STRUCT(course VARCHAR, institution VARCHAR)[]",
    ),
    Kind.BYTES: ("binary", "BLOB"),
}
RUPIAH: Final = frozenset({"price", "amount"})


def columnar() -> str:
    assert COLUMN_TYPES.keys() == set(Kind), "a kind of column is not described"
    rows = [
        (
            code(column.name),
            code(COLUMN_TYPES[column.kind][0]),
            code(COLUMN_TYPES[column.kind][1]),
            "null where absent" if column.nullable else "never null",
            ("whole rupiah; " if column.name in RUPIAH else "") + column.about,
        )
        for column in COLUMNS
    ]
    return f"""## In columns

The same history as a Parquet file, or as a folder of Parquet files `*.parquet`: {len(COLUMNS)} columns, a row a
line. It is a source wherever a file is one, told by its content and not by its name. `export` writes it, and
[how to read it elsewhere](../howto/auditors.md#read-it-with-other-tools) takes three lines. It needs the
extra `parquet`.

{table(("column", "Arrow", "SQL", "", "holds"), rows)}
- **A row is a line**: Where the columns alone would not give back its very bytes (other attributes, other order or
  spacing, another offset, a fraction finer than a microsecond, a blank line, no event at all), the row keeps
  the line in `line`, and is read from `line` alone; its columns must not say anything else. A line that holds no
  event has empty texts for `source`, `id`, `kind` and `subject`, and 1970-01-01T00:00:00Z for `time`. Only a line of
  more than 64 MiB fits no row; the export then says so and writes nothing.
- **Canonical line**: What a row without `line` stands for: the attributes `specversion`, `id`, `source`, `type`,
  `subject`, `time`, `recordedtime` (if it has one) and `data` in this order, no white space; times in WIB
  (`+07:00`) with the exact fraction, if there is one, without trailing zeros; the fields of `data` in the order of the
  [event types](events.md), absent ones left out; in strings only `"`, `\\` and the characters below U+0020 escaped
  (`\\b` `\\f` `\\n` `\\r` `\\t`, else `\\u00` and two lower-case digits). This is spelling {CANONICAL}.
- **Order**: Rows are sorted by (`subject`, `position`), by code point, and the file says so; one participant is found by
  the statistics of row groups. Other orders are read too, more slowly. The order of recording is `position`;
  a number that is missing is a row that was left out, and means nothing.
- **Metadata**: `{VERSION_KEY}` = `{VERSION}`. A file without it is read all the same if its columns are these; one with
  another value is not.
- **Broken rows**: A row that breaks the format is [quarantined](quarantine.md) with the code and the sentence of the
  canonical line that it stands for. A missing, unknown or differently typed column, a null in a column that has none,
  a position below 1 or twice, a `line` that says something else than its columns, and damaged data are an error for the
  whole file: nothing of it can be trusted to be what it seems.
- **Checksums**: Before the footer stands a note that Parquet readers pass over: CRC-32 of every row group and of
  the footer, and the subjects that share an identity. A file that another tool wrote anew has none and is
  read without; damage to it is found as far as Parquet itself finds it.
- **One participant**: A command about named participants reads their rows, the programme's, those of the packages they
  bought, and the lines that hold no event; lines of others that would be quarantined are not counted then.
"""


# --- events --------------------------------------------------------------------------------------

LEGAL_WHEN: Final[Mapping[str, str]] = {
    "enrolled": "once",
    "enrolment-corrected": "always; of several, the latest holds",
    "account-linked": "always; replaces the account linked before, and starts unverified",
    "account-verified": "that account is the linked one",
    "account-rejected": "that account is the linked one; it stays linked",
    "account-unlinked": "that account is the linked one",
    "training-purchased": "the purchase id is new; a package, where one is named, was offered (withdrawn since or not)",
    "purchase-refunded": "the purchase is recorded; its refunds never add up to more than its price",
    "course-completed": "the course is in a purchase of this participant (by any method), and was not completed before",
    "certificate-issued": "the course is in a purchase of this participant, and was not certified before",
    "course-rated": "the course is in a purchase of this participant; may repeat: later ratings add to or replace earlier ones, dimension by dimension, and `reviewed` once true stays true",
    "survey-submitted": "not submitted before, and within the scheme's number of surveys",
    "disbursement-instructed": "the disbursement id is new; the instalment exists in the scheme",
    "disbursement-settled": "the disbursement was instructed, and has no settlement with the same reference (another reference is a second transfer)",
    "disbursement-failed": "the disbursement was instructed and has no outcome yet",
    "disbursement-returned": "something settled is left of it; returns never add up to more than was settled",
    "participation-revoked": "it does not stand revoked",
    "participation-reinstated": "it stands revoked",
    "complaint-filed": "the complaint id is new",
    "complaint-resolved": "it was filed and is not resolved",
    "event-voided": "the event belongs to this subject, is no `enrolled` and no `event-voided`, and is not voided yet",
    "package-offered": "once",
    "package-withdrawn": "once, after the offer",
    "package-sales-stopped": "always",
    "payments-held": "payments are not held",
    "payments-resumed": "payments are held",
}
STREAMS: Final = {
    facts.PARTICIPANT: "the participant's id",
    facts.PACKAGE: "the package's id",
    facts.PROGRAMME: "`programme`",
    facts.ANY_STREAM: "the subject of the event that it voids",
}


def expected(attribute: Any) -> str:
    """What a field takes, in the words of the error that a wrong value raises."""
    wrong = object()
    try:
        if attribute.converter is not None:
            attribute.converter(wrong)
        else:
            attribute.validator(None, attribute, wrong)
    except InvalidField as error:
        return str(error.fields["expected"]).replace(str(LARGEST_INTEGER), "2^53−1")
    raise AssertionError(f"{attribute.name} takes anything")


def event_type(name: str, kind: type[facts.Fact]) -> str:
    rows = [
        (code(a.name), expected(a), "optional" if a.default is None else "required")
        for a in facts.fields_of(kind)
    ]
    fields = table(("field of `data`", "takes", ""), rows) if rows else "`data` is empty: `{}`.\n"
    return f"""## {kind.kind}

`{name}` · `subject` is {STREAMS[kind.stream]} · in Python `facts.{kind.__name__}`

{docstring(kind)}

{fields}
Legal when: {LEGAL_WHEN[kind.kind]}.
"""


def events() -> str:
    assert LEGAL_WHEN.keys() == {kind.kind for kind in FACTS.values()}, "a kind is not described"
    course = ", ".join(code(a.name) for a in facts.fields_of(Course))  # type: ignore[arg-type]
    return f"""# Event types

{len(FACTS)} types; the names are permanent. An optional field is left out where it is absent, never
null. A *course* is an object of {course}, each a text of 1 to {LONGEST_TEXT} characters. The
[reason codes](reasons.md) have a page of their own.

"Legal when" is judged in the order of recording, on what is recorded before, voided events left out.
A fact that breaks a rule of the *programme* (money paid twice, a package sold after the stop) is
recorded all the same, because it happened; it appears in the [findings](findings.md).

""" + "\n".join(event_type(name, kind) for name, kind in FACTS.items())


# --- schemes -------------------------------------------------------------------------------------


def waves(scheme: Scheme) -> str:
    last = scheme.waves[-1]
    return f"{scheme.waves[0]}–{last}" if last < 1_000 else f"{scheme.waves[0]} and later"


def schemes() -> str:
    registered = list(KARTU_PRAKERJA.schemes.values())
    amounts = table(
        ("scheme", "waves", "training balance", "post-training", "survey", "total"),
        [
            (
                code(s.id), waves(s), rupiah(s.training_balance),
                f"{s.post_training.count} × {rupiah(s.post_training.each)}",
                f"{s.survey.count} × {rupiah(s.survey.each)}", rupiah(s.total),
            )
            for s in registered
        ],
    )
    windows = table(
        ("scheme", "post-training due after", "survey due after", "first purchase within"),
        [
            (
                code(s.id), f"{s.payment_window_working_days} working days",
                f"{s.survey_payment_days} calendar days", f"{s.first_purchase_days} days",
            )
            for s in registered
        ],
    )
    cut_offs = table(
        ("scheme", "first course completed by", "surveys by", "account linked by", "training used by"),
        [
            (code(s.id), *(d or "–" for d in (s.first_course_by, s.surveys_by, s.account_linked_by, s.training_used_by)))
            for s in registered
        ],
    )
    sources = "".join(
        f"- `{s.id}`: " + "; ".join(s.sources) + ".\n" for s in registered
    )
    return f"""# Schemes

What a participant may receive, by when. Whole rupiah.

{amounts}
{windows}
{cut_offs}
A dash: the scheme has no such cut-off. A cut-off counts to the end of its day in WIB.

## Sources

{sources}
The [law](../law.md) puts each rule beside its source, its function and its test.

## Working days

Monday to Friday, less Indonesia's public holidays and government joint holidays of {INDONESIA.first.year}
to {INDONESIA.last.year}: {len(INDONESIA.holidays)} dates, shipped as data. They were made with the
`holidays` package, version 0.109, country `ID`, categories `public` and `government`. Outside these
years nothing is guessed; [extend the list](../howto/auditors.md#extend-the-holidays).

## Words

{table(("field", "words"), [
    ("`platform`", ", ".join(code(w) for w in vocabulary.PLATFORMS)),
    ("`provider`", ", ".join(code(w) for w in vocabulary.PROVIDERS)),
    ("`method`", ", ".join(code(w) for w in vocabulary.METHODS)),
    ("`component`", ", ".join(code(w) for w in vocabulary.COMPONENTS)),
])}"""


# --- statuses ------------------------------------------------------------------------------------

STATUS_WHEN: Final[Mapping[Status, str]] = {
    Status.PAID: "what is paid reaches the amount. Whether it was due is the findings' matter",
    Status.FORFEITED: "the participation stands revoked, or a cut-off of the scheme passed; what is not paid went back to the state",
    Status.IN_FLIGHT: "a transfer was instructed and has neither settlement nor failure",
    Status.SCHEDULED: "a second or later post-training line whose month is not reached; the first is earned",
    Status.NOT_EARNED: "a condition is not met",
    Status.OPEN: "the training balance can still be spent; of `training` alone",
    Status.DUE: "earned, and the day it is due has not passed",
    Status.OVERDUE: "earned, and the day it is due has passed",
}
STANDING_WHEN: Final[Mapping[Standing, str]] = {
    Standing.ACTIVE: "the participation stands",
    Standing.REVOKED: "revoked, and not reinstated since",
}


def statuses() -> str:
    assert STATUS_WHEN.keys() == set(Status), "a status is not described"
    assert STANDING_WHEN.keys() == set(Standing), "a standing is not described"
    return f"""# Statuses

## Of a line

Of those that apply, the first is given. `training` knows only `forfeited`, `open` and `paid`, tried
in that order.

{table(("status", "in words", "when"), [(code(s.value), explain.STATUSES[s], STATUS_WHEN[s]) for s in Status])}
## Of a participant: the standing

{table(("standing", "in words", "when"), [(code(s.value), explain.STANDINGS[s], STANDING_WHEN[s]) for s in Standing])}
## Of a command: the exit status

{table(("status", "when"), [(code(int(s)), EXIT_WHEN[s]) for s in ExitStatus])}
Of several, the first of 2, 1, 3 is given.
"""


EXIT_WHEN: Final[Mapping[ExitStatus, str]] = {
    ExitStatus.DONE: "done",
    ExitStatus.FAULT: "an internal fault, or a statement withheld because the list of holidays is too short; what could be answered was answered",
    ExitStatus.WRONG_USAGE: "wrong usage, a source that cannot be read, or a participant who is not in view",
    ExitStatus.QUARANTINED: "done, but lines of a history file were quarantined",
    ExitStatus.NOT_AS_SEALED: "a history, a pack, a proof or a receipt is not what it was sealed as",
}


# --- causes and reasons --------------------------------------------------------------------------


def causes() -> str:
    rows = [
        (
            code(cause.value),
            "that of the [reason code](reasons.md)" if cause in OWNED_BY_REASON else code(OWNERS[cause].value),
            sentence(explain.WHY[cause]),
            explain.NEXT_STEP[cause],
        )
        for cause in Cause
    ]
    owners = [(code(owner.value), words) for owner, words in explain.OWNERS.items()]
    return f"""# Causes

Why a line is not paid, and who must act. The status of the line chooses which causes can stand; all
that apply are listed, and the first is *the* cause of the line. Words in braces are filled in.

{table(("cause", "owner", "why", "what to do"), rows)}
## Owners

{table(("owner", "in words"), owners)}"""


def reasons() -> str:
    rows = [
        (code(r.code), explain.REASON_WORDS[r.code], code(r.owner.value), code(r.iso20022) if r.iso20022 else "–")
        for r in vocabulary.REASONS.values()
    ]
    return f"""# Reason codes

Why a payment partner failed or returned a transfer, or rejected an account: the `reason` of
`disbursement-failed`, `disbursement-returned` and `account-rejected`. The owner of the code takes
the next step. The last column names the nearest ISO 20022 status reason code.

{table(("code", "in words", "owner of the next step", "ISO 20022"), rows)}"""


# --- findings ------------------------------------------------------------------------------------

FINDING_WHEN: Final[Mapping[Code, tuple[str, str, str]]] = {
    Code.PACKAGE_BUNDLES_COURSES: ("an offered package has two or more courses", "package", "its price"),
    Code.PACKAGE_OTHER_PLATFORM: ("a purchase by a platform other than the one that offers its package", "purchase", "its price"),
    Code.PACKAGE_SOLD_AFTER_STOP: ("a package bought with the training balance, refunded or not, on or after the earliest effective day of a stop that names its platform", "purchase", "its price"),
    Code.CASH_BEFORE_PACKAGE_DONE: ("money arrived on or after the day of a counting package purchase of which a course was not completed by then; still listed once it is finished", "package purchase", "all cash settled so far"),
    Code.COURSE_UNRATED: ("a course of a counting package purchase is completed, and not all three dimensions are rated", "purchase and course", "–"),
    Code.COURSE_NOT_EVALUABLE: ("a course of an offered package was never bought outside a package by anyone, and nobody rated it", "course", "–"),
    Code.BALANCE_OVERSPENT: ("more was spent than the training balance", "participant", "the excess"),
    Code.FIRST_PURCHASE_LATE: ("no counting purchase within the scheme's days from enrolment, and the participation does not stand revoked", "participant", "–"),
    Code.PAID_UNEARNED: ("money arrived on a line that is not earned, or before the day it was earned", "settlement", "its amount"),
    Code.PAID_TWICE: ("more is paid on a line than its amount, by two or more settlements", "line", "the excess"),
    Code.PAID_AFTER_REVOCATION: ("money arrived after the day of the revocation that then stood", "settlement", "its amount"),
    Code.PAID_WITHOUT_VERIFIED_ACCOUNT: ("money arrived when no linked account stood verified", "settlement", "its amount"),
    Code.PAID_TO_OTHER_ACCOUNT: ("money arrived by an instruction that names an account other than the one then linked", "settlement", "its amount"),
    Code.SETTLED_AFTER_FAILURE: ("a disbursement arrived that had failed before", "settlement", "its amount"),
    Code.INSTRUCTED_UNDULY: ("an instruction for more than the line's amount, on a line paid already, in flight or not earned, or while revoked", "instruction", "its amount"),
    Code.SHARED_ACCOUNT: ("two or more participants linked the same account at the same provider", "participant and account", "–"),
    Code.DUPLICATE_CERTIFICATE: ("one certificate number stands for two or more (participant, course) pairs", "pair", "–"),
    Code.CERTIFICATE_BEFORE_COMPLETION: ("a certificate before the completion of its course, or without one", "course", "–"),
    Code.SURVEY_OUT_OF_ORDER: ("a survey submitted while one before it was not", "survey", "–"),
    Code.WAVE_OUTSIDE_SCHEME: ("the wave that holds is not in the range of the scheme that holds", "participant", "–"),
    Code.REPORTED_LATE: (f"a completion, certificate or rating that the programme learned of on the {LATE_AFTER_WORKING_DAYS}th working day after it, or later", "event", "–"),
}


def findings() -> str:
    assert FINDING_WHEN.keys() == set(Code), "a finding is not described"
    rows = [(code(c.value), *FINDING_WHEN[c], sentence(explain.FINDINGS[c])) for c in Code]
    return f"""# Findings

Facts that break a rule. One finding for each thing named under *per*. What a finding is, and what it
is not, stands under [findings](../concepts/findings.md). Words in braces are filled in.

{table(("code", "true when", "per", "rupiah at stake", "sentence"), rows)}
The first four findings of letter S-148/Dir-Eks/06/2020 are `PACKAGE_BUNDLES_COURSES`,
`CASH_BEFORE_PACKAGE_DONE`, `COURSE_UNRATED` and `COURSE_NOT_EVALUABLE`.
"""


# --- quarantine ----------------------------------------------------------------------------------


def _line(id: str, kind: str, data: Any, subject: str = "P-1", **more: Any) -> bytes:
    given = {
        "specversion": "1.0", "id": id, "source": "//docs", "type": f"prakerja.{kind}.v1",
        "subject": subject, "time": "2020-05-19T10:00:00+07:00", "data": data, **more,
    }
    return json.dumps(given).encode()


_ENROLLED: Final = {"wave": 1, "scheme": "semi-bansos-2020"}
QUARANTINE_WHEN: Final[Mapping[str, tuple[str, bytes]]] = {
    "NOT_JSON": (
        "not UTF-8, half a surrogate pair, a byte order mark, not one JSON object, a key twice, NaN, Infinity, a number no double holds, too deep or too long",
        b'{"specversion":"1.0","id":"1","id":"2"}',
    ),
    "NOT_CLOUDEVENT": (
        "an attribute is missing, unknown or of the wrong kind",
        _line("2", "enrolled", _ENROLLED, phone="x"),
    ),
    "UNKNOWN_TYPE": ("`type` is not an [event type](events.md)", _line("3", "enroled", _ENROLLED)),
    "INVALID_DATA": (
        "`data` breaks its event type, a time is not such a timestamp, or `recordedtime` is before `time`",
        _line("4", "enrolled", {"wave": "1", "scheme": "semi-bansos-2020"}),
    ),
    "CONFLICTING_DUPLICATE": (
        "the identity is recorded with other content",
        _line("1", "enrolled", {"wave": 2, "scheme": "semi-bansos-2020"}),
    ),
    "NOT_ENROLLED": (
        "a participant event of a subject with no recorded enrolment",
        _line("6", "survey-submitted", {"survey": 1}, subject="P-2"),
    ),
    "ALREADY_ENROLLED": ("a second enrolment of a subject", _line("7", "enrolled", _ENROLLED)),
    "UNKNOWN_REFERENCE": (
        "refers to a purchase, course, account, disbursement, complaint, package or event that is not recorded before it",
        _line("8", "disbursement-failed", {"disbursement": "D-1", "reason": "unknown"}),
    ),
    "ILLEGAL_MOVE": (
        "any other condition of [\"legal when\"](events.md) is not met",
        _line("9", "survey-submitted", {"survey": 4}),
    ),
}


def quarantine() -> str:
    register = Register(KARTU_PRAKERJA)
    first = read_event(_line("1", "enrolled", _ENROLLED), 1, KARTU_PRAKERJA)
    assert not isinstance(first, Refusal)
    register.record(first)
    rows = []
    for position, (name, (when, line)) in enumerate(QUARANTINE_WHEN.items(), 2):
        event = read_event(line, position, KARTU_PRAKERJA)
        outcome = event if isinstance(event, Refusal) else register.record(event)
        assert isinstance(outcome, Refusal) and outcome.code == name, (name, outcome)
        rows.append((code(name), when, sentence(str(outcome))))
    return f"""# Quarantine codes

Why a line of a history was not recorded. The codes are tried in this order, and the first that
applies is given. The last column is the sentence of one case; each says what to do. In Python the
same codes are those of [`Refused` and `Conflict`](errors.md).

{table(("code", "when", "such as"), rows)}"""


# --- errors --------------------------------------------------------------------------------------


def _descendants(of: type[PrakerjaLedgerError], depth: int = 0) -> Iterable[tuple[type[PrakerjaLedgerError], int]]:
    for kind in sorted(of.__subclasses__(), key=lambda one: one.__name__):
        if kind.__module__.startswith("prakerja_ledger"):
            yield kind, depth
            yield from _descendants(kind, depth + 1)


def errors_page() -> str:
    assert errors.PrakerjaLedgerError is PrakerjaLedgerError
    rows = [
        (
            code(kind.__name__),
            code(kind.__base__.__name__),  # type: ignore[union-attr]
            "the [quarantine code](quarantine.md)" if kind is Refused else code(kind.code),
            docstring(kind),
            sentence(kind.template),
        )
        for kind, _ in _descendants(PrakerjaLedgerError)
    ]
    return f"""# Errors

Every error that the package raises on purpose is a `PrakerjaLedgerError`. Each has a `code` that
does not change, `fields` (a mapping), and a text made of them: what happened, and what to do now.
Words in braces are the fields.

A field that holds a sentence, such as `problem` or `expected`, is a `Phrase`: a text that has a `template`
and `fields` of its own, so that the command line says the whole error in one language. `str(error)` is
English. What a driver, the operating system or a parser says is quoted as they say it.

{table(("error", "is a", "`code`", "meaning", "text"), rows)}
What is not in this table is a fault of the program, such as a `TypeError` for a field that a fact
does not have.
"""


# --- commands ------------------------------------------------------------------------------------


def help_of(*arguments: str) -> str:
    result = CliRunner().invoke(
        cli, [*arguments, "--help"], prog_name="prakerja-ledger", terminal_width=80, max_content_width=80
    )
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.output.rstrip().splitlines())


def commands() -> str:
    parts = []
    for name in COMMANDS:
        parts.append(f"## {name}\n\n```text\n{help_of(name)}\n```\n")
        command = cli.get_command(click.Context(cli), name)
        for own in command.commands if isinstance(command, click.Group) else ():
            parts.append(f"### {name} {own}\n\n```text\n{help_of(name, own)}\n```\n")
    return f"""# Commands

The command line is the extra `cli` of the package. Results go to standard output, errors to standard
error. On a terminal results are tables; in a pipe they are plain text. `NO_COLOR` is honoured. The
[exit statuses](statuses.md#of-a-command-the-exit-status) are the same for every command.

Results and errors are in the language of `--lang`, or of the locale. In English always are `--help`, what
the command-line library says of options itself ("No such option", "Missing option"), what `doctor` finds,
and the names and codes in JSON and CSV.

```text
{help_of()}
```

""" + "\n".join(parts)


# --- simulated histories -------------------------------------------------------------------------

BASIS_MEANS: Final[Mapping[Basis, str]] = {
    Basis.PUBLISHED: "the number stands in the source named",
    Basis.DERIVED: "it follows from published numbers by arithmetic",
    Basis.ASSUMED: "no source was found; chosen freely, or so that published totals come out, as its source says",
}


def shown_value(value: Any) -> str:
    """A parameter's value as a reader of a table wants it."""
    if isinstance(value, Fraction):
        return f"{float(value):.2%}".replace("%", " %")
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {shown_value(one)}" for key, one in value.items())
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return "; ".join(f"{float(Fraction(share) * 100):g} %: {rupiah(height)}" for share, height in value)
    if isinstance(value, tuple):
        return " to ".join(shown_value(one) for one in value)
    return rupiah(value) if isinstance(value, int) else str(value)


def simulation() -> str:
    assert BASIS_MEANS.keys() == set(Basis), "a basis is not described"
    numbers = [
        (code(name), sentence(one.meaning), shown_value(one.value), one.basis.value, one.source)
        for name, one in PARAMETERS.items()
    ]
    intake = [
        (
            wave.number, code(wave.scheme), rupiah(wave.recipients), wave.recipients_source, wave.appointed_on,
            f"{float(wave.revoked):.2%}".replace("%", " %"), wave.revoked_on, wave.revoked_source,
        )
        for wave in WAVES
    ]
    return f"""# Parameters of simulated histories

Every number of `prakerja-ledger simulate`. How they work together stands under
[simulated histories](../concepts/simulation.md).

{table(("basis", "means"), [(one.value, text) for one, text in BASIS_MEANS.items()])}
Numbers in brackets are [sources](#sources); a number such as 3.1 before them is a section of the domain
facts that this project collected from them.

## Numbers

A curve reads "so much of the people: after so many days (or at so many rupiah)", evenly between its knots.

{table(("parameter", "what", "value", "basis", "source"), numbers)}
## Waves

Days of appointment are assumed: no list of them was found; they agree with every dated count. A share of
revocations is a published or derived count over the recipients.

{table(("wave", "scheme", "recipients", "source", "appointed", "revoked without a purchase", "on", "source"), intake)}
## Regencies and cities

{docstring(regencies)} {len(regencies.REGENCIES)} of them; `--regencies` draws each participant's from their year.

## Sources

{"".join(f"- [{name}] {address}" + chr(10) for name, address in SOURCES.items())}"""


# --- the Python API ------------------------------------------------------------------------------


def auto(kind: str, name: str, **options: str) -> str:
    """One object, said by Sphinx from its signature and docstrings."""
    lines = [f".. auto{kind}:: {name}", *(f"   :{option}: {value}".rstrip() for option, value in options.items())]
    return "```{eval-rst}\n" + "\n".join(lines) + "\n```\n"


def value(name: str) -> str:
    """A class of values: every field, with its words where its name does not say it all."""
    return auto("class", name, members="", **{"undoc-members": ""})


def module(name: str) -> str:
    return f"```{{eval-rst}}\n.. py:module:: prakerja_ledger.{name}\n```\n"


def public(*names: str) -> list[str]:
    return [f"prakerja_ledger.{name}" for name in names]


def values(*names: str) -> str:
    return "\n".join(value(name) for name in names)


def api() -> str:
    return """# Python API

What a program imports, from `prakerja_ledger` itself unless the name says otherwise. Importing the
package does nothing; each name is fetched when it is first used. [For
developers](../howto/developers.md) shows them at work.

Throughout: money is whole rupiah, a plain `int`. A day is a `datetime.date` and means the calendar
date in WIB (UTC+7). Every error raised on purpose is a [PrakerjaLedgerError](api-errors.md). Each
symbol says its type, for mypy and pyright.

```{toctree}
:maxdepth: 1

api-ledger
api-commands
api-facts
api-reading
api-projection
api-vault
api-schemes
api-errors
api-testing
```
"""


def api_ledger() -> str:
    own = "registrar, streams"  # for the package's own import and projections
    ledger = {"members": "", "inherited-members": "", "exclude-members": own}
    feed = values("prakerja_ledger.ledger.feed.FeedPage", "prakerja_ledger.ledger.feed.FedEvent")
    return f"""# The ledger

{auto("class", "prakerja_ledger.Ledger()", **ledger)}
{values(*public("Receipt", "CloudEvent"))}
{auto("data", "prakerja_ledger.ledger.cloudevent.Recordable", **{"no-value": ""})}
## In an event loop

{auto("class", "prakerja_ledger.AsyncLedger", members="")}
## The feed

{feed}"""


COMMAND_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "REVOKED": ("`PurchaseTraining`, `Instruct`", "the participation stands revoked"),
    "PACKAGE_SALES_STOPPED": ("`PurchaseTraining`", "a stop of package sales names the platform and is in effect"),
    "BALANCE_NOT_ENOUGH": ("`PurchaseTraining`", "the price is above what is left of the training balance"),
    "NO_SUCH_LINE": ("`Instruct`", "the line is none that cash is paid on"),
    "LINE_PAID": ("`Instruct`", "the line is paid already"),
    "LINE_FORFEITED": ("`Instruct`", "the line is forfeited"),
    "LINE_NOT_EARNED": ("`Instruct`", "the line is not earned, or not yet"),
    "LINE_IN_FLIGHT": ("`Instruct`", "a transfer on the line has no outcome yet"),
    "PAYMENTS_HELD": ("`Instruct`", "all payments are held"),
    "ACCOUNT_NOT_ON_RECORD": ("`Instruct`", "no account is linked"),
    "ACCOUNT_REJECTED": ("`Instruct`", "the linked account was rejected"),
    "ACCOUNT_NOT_VERIFIED": ("`Instruct`", "the linked account is not verified"),
    "OTHER_ACCOUNT": ("`Instruct`", "the provider or the account is not the linked one"),
    "NOT_CHECKED": ("`CorrectEnrolment`, `Revoke`, `VoidEvent`", "the ledger asks for four eyes, and maker or checker is not named"),
    "CHECKED_BY_ITS_MAKER": ("`CorrectEnrolment`, `Revoke`, `VoidEvent`", "the ledger asks for four eyes, and maker and checker are one person"),
    "MORE_THAN_UNPAID": ("`Instruct`", "the amount is above what is unpaid"),
}


def _need(default: Any) -> str:
    if default is attrs.NOTHING:
        return "required"
    return "optional" if default is None else f"otherwise `{default}`"


def command(kind: type[Command]) -> str:
    becomes = FACT_OF[kind]
    rules_of = attrs.fields_dict(kind if kind is Instruct else becomes)  # type: ignore[arg-type]
    own = [a for a in attrs.fields(kind) if a.name not in attrs.fields_dict(Command)]
    rows = [
        (code(a.name), expected(rules_of.get(a.name, a)), _need(a.default))
        for a in own
    ]
    fields = table(("field", "takes", ""), rows) + "\n" if rows else ""
    return f"""{auto("class", f"prakerja_ledger.commands.{kind.__name__}", **{"no-members": ""})}
Becomes [`{becomes.kind}`](events.md#{becomes.kind}).

{fields}"""


def api_commands() -> str:
    sources = inspect.getsource(rules) + inspect.getsource(four_eyes)
    known = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+|REVOKED)"', sources))
    assert known == COMMAND_REFUSED.keys(), "a refusal is not described"
    refusals = table(("`code`", "of", "when"), [(code(c), *words) for c, words in COMMAND_REFUSED.items()])
    return f"""# Commands in Python

{module("commands")}
What somebody asks [the ledger](api-ledger.md) to record now, as `commands.Enrol(…)`: see
`Ledger.execute`. Each becomes one fact, or is refused. A command's fields are judged when it is made,
by the rules of the fact that it becomes.

{value("prakerja_ledger.commands.Command")}
## Refused by a rule of the programme

`Refused` then has one of these codes. Other codes are those of the [quarantine](quarantine.md): the
history forbids it, whatever the programme says.

{refusals}
## The commands

""" + "\n".join(command(kind) for kind in FACT_OF)


def api_facts() -> str:
    kinds = "\n".join(
        auto("class", f"prakerja_ledger.facts.{kind.__name__}", **{"no-members": ""})
        + f"\nIn a history [`{kind.kind}`](events.md#{kind.kind}).\n"
        for kind in FACTS.values()
    )
    return f"""# Facts in Python

{module("facts")}
What happened, as `facts.Enrolled(…)`. A fact is carried by a [`CloudEvent`](api-ledger.md). What may stand in each
field, and when the fact is legal, stands under its name in a history. Construction checks every field
and raises `InvalidField`.

{auto("class", "prakerja_ledger.facts.Fact()", members="")}
{auto("class", "prakerja_ledger.facts.Course", **{"no-members": ""})}
{kinds}"""


def api_reading() -> str:
    page = "prakerja_ledger.reading.pages."
    of_answer = {"members": "", "undoc-members": "", "show-inheritance": ""}
    answers = "\n".join(auto("class", page + one, **of_answer) for one in ("UnpaidPage", "FindingsPage", "Totals", "LinePermission"))
    causes = values("prakerja_ledger.reading.causes.Because", "prakerja_ledger.reading.causes.Cause", "prakerja_ledger.domain.vocabulary.Owner")
    total = {"members": "", "undoc-members": "", "exclude-members": "add"}
    tally = {"members": "", "undoc-members": "", "exclude-members": "count"}
    evaluation = auto("class", "prakerja_ledger.Evaluation()", members="", **{"exclude-members": "around"})
    moments = "\n".join(auto("function", f"prakerja_ledger.domain.time.{one}") for one in ("instant", "known_at"))
    return f"""# Statements and other answers

What the amounts mean, and when a line is earned and due: [owed and paid](../concepts/owed-and-paid.md).
The words of each [status](statuses.md), [cause](causes.md) and [finding](findings.md) have pages of
their own.

{values(*public("Statement", "StatementLine"))}
{values("prakerja_ledger.reading.statement.Status", "prakerja_ledger.reading.statement.Standing")}
{causes}
## May a line be paid

{values(*public("Permission", "May"))}
## Pages and totals

{value(page + "Answer")}
{answers}
{value(page + "UnpaidLine")}
{value(page + "ListedFinding")}
{auto("class", "prakerja_ledger.reading.totals.Total()", **total)}
## What is recorded

{value(page + "Timeline")}
{auto("class", "prakerja_ledger.domain.events.Event", members="")}
## A history of a file or of a ledger

{auto("function", "prakerja_ledger.open_history")}
{auto("class", "prakerja_ledger.interfaces.source.History()", members="")}
{auto("class", "prakerja_ledger.interfaces.source.Tally()", **tally)}
{evaluation}
{value("prakerja_ledger.reading.finding.Finding")}
{auto("class", "prakerja_ledger.reading.finding.Code", **{"no-members": ""})}
## A view, and instants

{auto("class", "prakerja_ledger.View", members="", **{"exclude-members": "bound"})}
{auto("data", "prakerja_ledger.domain.time.Instant", **{"no-value": ""})}
{moments}"""


def api_projection() -> str:
    return f"""# The projection

{auto("class", "prakerja_ledger.Projection()", members="")}
{value("prakerja_ledger.projecting.projector.Lag")}
{value("prakerja_ledger.projecting.tables.State")}
{auto("class", "prakerja_ledger.projecting.tables.Slot", **{"no-members": ""})}
{auto("class", "prakerja_ledger.projecting.projector.Watcher()", members="", **{"special-members": "__call__"})}"""


def api_vault() -> str:
    return f"""# The vault

People's data apart from the history: [how to](../howto/people.md). The extra `vault`.

{auto("class", "prakerja_ledger.vault.vault.Vault()", members="", **{"exclude-members": "begin"})}
{value("prakerja_ledger.vault.showing.Held")}
{value("prakerja_ledger.vault.rows.Participant")}
{value("prakerja_ledger.vault.rows.Settings")}
{value("prakerja_ledger.vault.showing.Shown")}
{value("prakerja_ledger.vault.registering.Registered")}
{value("prakerja_ledger.vault.forgetting.Past")}
## People

{value("prakerja_ledger.vault.person.Person")}
{module("vault.person") + "".join(auto("function", f"prakerja_ledger.vault.person.{name}") for name in ("nik", "name", "phone", "account"))}
{value("prakerja_ledger.vault.person.PersonalField")}
{value("prakerja_ledger.vault.nik.Sex")}
{value("prakerja_ledger.vault.nik.Doubt")}
{auto("class", "prakerja_ledger.vault.secret.Secret", members="")}
## Keys

{value("prakerja_ledger.vault.keys.Keys")}
{auto("class", "prakerja_ledger.vault.keys.FileKey", members="")}
{auto("class", "prakerja_ledger.vault.keys.ManagedKey", members="")}
{auto("class", "prakerja_ledger.vault.keys.WrappingKey()", members="")}
{"".join(auto("function", f"prakerja_ledger.vault.keys.{name}") for name in ("make_key", "keys_in", "destroy_key"))}
{value("prakerja_ledger.vault.keys.Use")}
{value("prakerja_ledger.vault.crypto.Algorithm")}
## The journal

{value("prakerja_ledger.vault.journal.Warrant")}
{value("prakerja_ledger.vault.journal.Entry")}
{value("prakerja_ledger.vault.journal.Kind")}
{value("prakerja_ledger.vault.journal.Head")}"""


def api_schemes() -> str:
    calendar = {"members": "", "exclude-members": "working_days"}
    return f"""# Programme and schemes

The numbers of each scheme, with their sources, stand under [schemes](schemes.md).

```{{eval-rst}}
.. py:data:: prakerja_ledger.KARTU_PRAKERJA
   :type: ~prakerja_ledger.Programme

   The programme: its {len(KARTU_PRAKERJA.schemes)} schemes, and the working days of Indonesia.
```

{value("prakerja_ledger.Programme")}
{auto("class", "prakerja_ledger.Scheme", members="", **{"undoc-members": "", "exclude-members": "cash_lines"})}
{value("prakerja_ledger.Instalments")}
{auto("class", "prakerja_ledger.domain.calendar.WorkingCalendar", **calendar)}"""


def api_errors() -> str:
    def where(kind: type[PrakerjaLedgerError]) -> str:
        home = "prakerja_ledger" if kind.__name__ in prakerja_ledger.__all__ else kind.__module__
        return f"{home}.{kind.__name__}()"

    own = [kind for kind, _ in _descendants(PrakerjaLedgerError) if kind.__module__ == errors.__name__]
    rest = {"no-members": "", "show-inheritance": ""}
    said = "\n".join(auto("class", where(kind), **rest).replace("autoclass", "autoexception") for kind in own)
    root = auto("exception", "prakerja_ledger.PrakerjaLedgerError()", members="")
    return f"""# Errors in Python

Catch the family, not the single kind: `InvalidInput`, `Refused`, `Conflict`, `OutcomeUnknown`,
`LedgerFault`. Codes and texts of all stand under [errors](errors.md).

{root}
{said}
{value("prakerja_ledger.domain.errors.Refusal")}"""


def api_testing() -> str:
    fixtures = ("ledger", "frozen_ledger", "postgres_ledger", "prakerja_clock", "bank_that_lies")
    rows = [(code(name), docstring(getattr(plugin, name))) for name in fixtures]
    drawn = "prakerja_ledger.testing.strategies."
    strategies = [auto("data", drawn + one, **{"no-value": ""}) for one in ("facts", "instants", "texts", "rupiah")]
    strategies += [auto("function", drawn + one) for one in ("facts_of", "events", "timestamps")]
    return f"""# For tests

The extra `testing`. [Test what you built on it](../howto/testing.md) shows them at work.

## Fixtures for pytest

Found by pytest as soon as the package is installed. A fixture of the same name in your own suite goes
before it.

{table(("fixture", "is"), rows)}
## A clock and a bank

{auto("class", "prakerja_ledger.testing.clock.TestClock", members="")}
{auto("class", "prakerja_ledger.testing.bank.BankThatLies(seed=0, lies=None)", members="")}
{value("prakerja_ledger.testing.bank.Lie")}
{value("prakerja_ledger.testing.bank.Reported")}
{auto("exception", "prakerja_ledger.testing.bank.NoReply()", **{"no-members": ""})}
## Hypothesis strategies

""" + "\n".join(strategies)


# --- all -----------------------------------------------------------------------------------------

INDEX: Final = """# Reference

These pages are written from the code, and a test holds them equal to it.

```{toctree}
:maxdepth: 1

history-format
events
schemes
statuses
causes
reasons
findings
quarantine
errors
commands
simulation
api
```
"""
PAGES: Final = {
    "index": lambda: INDEX,
    "history-format": history_format,
    "events": events,
    "schemes": schemes,
    "statuses": statuses,
    "causes": causes,
    "reasons": reasons,
    "findings": findings,
    "quarantine": quarantine,
    "errors": errors_page,
    "commands": commands,
    "simulation": simulation,
    "api": api,
    "api-ledger": api_ledger,
    "api-commands": api_commands,
    "api-facts": api_facts,
    "api-reading": api_reading,
    "api-projection": api_projection,
    "api-vault": api_vault,
    "api-schemes": api_schemes,
    "api-errors": api_errors,
    "api-testing": api_testing,
}


def pages() -> dict[str, str]:
    """Each file's name and text."""
    return {f"{name}.md": MARK + make() for name, make in PAGES.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 on a difference")
    check = parser.parse_args().check
    made = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md")}
    differing = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    if check:
        for name in differing:
            print(f"docs/reference/{name} differs from the code. Run: python docs/generate.py", file=sys.stderr)
        return int(bool(differing))
    REFERENCE.mkdir(exist_ok=True)
    for name in differing:
        if name in made:
            (REFERENCE / name).write_text(made[name], encoding="utf-8")
        else:
            (REFERENCE / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
