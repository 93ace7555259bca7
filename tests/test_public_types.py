"""Bad input to the public surface: a typed error before anything is written; wrong types found by mypy."""

from __future__ import annotations

import math
import re
import shutil
import sqlite3
from collections import UserList
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mypy.api
import pytest

import prakerja_ledger
from prakerja_ledger import (
    KARTU_PRAKERJA,
    CloudEvent,
    Instalments,
    InvalidInput,
    Ledger,
    Receipt,
    Refused,
    Scheme,
    View,
    facts,
    open_history,
)
from prakerja_ledger import commands as c
from prakerja_ledger.domain.errors import InvalidField
from prakerja_ledger.domain.time import Instant
from tests.ledger_support import JULY_2, Boom, Clock, enrolment, purchase

Call = Callable[[Ledger], object]
Case = tuple[str, Call]
WHO = "P-1"
DAY = date(2020, 7, 2)
NAIVE = datetime(2020, 7, 2)
HALF_A_PAIR = "\ud800"
TOO_LONG = "x" * 201
ENORMOUS = 10**5_000
"""More digits than Python writes out."""

NO_TEXT: dict[str, Any] = {
    "None": None, "a number": 5, "bytes": b"x", "a list": [], "half a pair": HALF_A_PAIR,
}  # fmt: skip
NO_NAME = {**NO_TEXT, "empty": "", "too long": TOO_LONG}
NO_WORD = {**NO_NAME, "another word": "nothing"}
NO_MONEY: dict[str, Any] = {
    "true": True, "a float": 1.0, "a decimal": Decimal(1), "text": "1", "below zero": -1,
    "nan": math.nan, "a list": [], "too large": 2**53, "enormous": ENORMOUS,
}  # fmt: skip
NO_TIME: dict[str, Any] = {
    "a number": 5, "true": True, "naive": NAIVE, "a date": DAY, "no time": "yesterday",
    "a day": "2020-07-02", "empty": "", "half a pair": HALF_A_PAIR,
}  # fmt: skip
NO_DAY: dict[str, Any] = {
    "a number": 5, "text": "2020-07-02", "naive": NAIVE, "a moment": JULY_2, "a list": [],
}  # fmt: skip


# --- events ---------------------------------------------------------------------------------------


def cloud_event(**changed: Any) -> CloudEvent:
    return CloudEvent(**{
        "source": "//test", "id": "1", "subject": "P-9", "time": "2020-04-20T12:00:00+07:00",
        "fact": facts.Enrolled(wave=1, scheme="semi-bansos-2020"), **changed,
    })  # fmt: skip


def recordings() -> Iterator[Case]:
    no_events: dict[str, Any] = {
        "None": None, "a number": 5, "a float": 1.5, "true": True, "a list": [], "an object": object(),
        "a bytearray": bytearray(b"{}"), "a set": {1}, "a class": CloudEvent, "NUL": "\0", "nothing": b"",
        "a fact": facts.PaymentsResumed(), "a command": c.ResumePayments(source="//test", id="1"),
        "an enormous number": {**enrolment("P-9"), "x1": ENORMOUS},
        "a cycle": cycle(),
    }  # fmt: skip
    for name, value in no_events.items():
        yield f"record: {name}", lambda ledger, v=value: ledger.record(v)
    for name, value in {**no_events, "an event": cloud_event()}.items():
        if name not in {"a list", "nothing"}:
            yield f"record_all: {name}", lambda ledger, v=value: ledger.record_all(v)
    yield "record_all: a good one, and None", lambda ledger: ledger.record_all([cloud_event(), None])
    fields: dict[str, dict[str, Any]] = {
        **dict.fromkeys(("source", "id", "subject"), NO_NAME),
        "time": {**NO_TIME, "None": None},
        "recordedtime": {**NO_TIME, "before time": "2020-04-19T12:00:00+07:00"},
        "fact": {"None": None, "text": "enrolled", "a dict": {}, "a class": facts.PaymentsHeld,
                 "no kind": facts.Fact(), "half a pair": facts.Enrolled(wave=1, scheme=HALF_A_PAIR)},
        "attributes": {"None": None, "a list": ["x1"], "text": "x1", "our own": {"id": "2"},
                       "numbered": {1: 2}, "an object": {"x1": object()}, "unknown": {"y": 1},
                       "nan": {"x1": math.nan}, "half a pair": {"x1": HALF_A_PAIR}},
    }  # fmt: skip
    for field, values in fields.items():
        for name, value in values.items():
            changed = {field: value}
            yield f"record: {field} is {name}", lambda ledger, v=changed: ledger.record(cloud_event(**v))


def cycle() -> dict[str, Any]:
    given: dict[str, Any] = {}
    given["x1"] = given
    return given


# --- commands -------------------------------------------------------------------------------------


class OwnInstruct(c.Instruct):
    """A command of somebody's own is none that the ledger knows."""


INSTRUCT: dict[str, Any] = {"line": "post-training/1"}
BUY: dict[str, Any] = {
    "purchase": "U-9", "platform": "sisnaker", "price": 1,
    "courses": [facts.Course(course="C-9", institution="LP-1")],
}  # fmt: skip
STOP: dict[str, Any] = {"notice": "S-1", "effective": DAY, "platforms": ["sisnaker"]}
OPTIONAL_NAME = {name: value for name, value in NO_NAME.items() if name != "None"}


def asked(kind: type[c.Command], good: dict[str, Any], **changed: Any) -> Call:
    fields = {"source": "//test", "id": "1", **good, **changed}
    if kind is not c.StopPackageSales:
        fields = {"subject": WHO, **fields}
    return lambda ledger: ledger.execute(kind(**fields))


def executions() -> Iterator[Case]:
    no_commands: dict[str, Any] = {
        "None": None, "text": "instruct", "a number": 5, "a class": c.Instruct, "an event": cloud_event(),
        "a dict": enrolment("P-9"), "a fact": facts.PaymentsHeld(reason="x"),
        "the base": c.Command(source="//test", id="1", subject=WHO),
        "one of your own": OwnInstruct(source="//test", id="1", subject=WHO, line="post-training/1"),
    }  # fmt: skip
    for name, value in no_commands.items():
        yield f"execute: {name}", lambda ledger, v=value: ledger.execute(v)
        yield f"execute_all: {name}", lambda ledger, v=value: ledger.execute_all(v)
    good = c.LinkAccount(source="//test", id="1", subject=WHO, provider="ovo", account="A")
    yield "execute_all: a command", lambda ledger: ledger.execute_all(good)
    yield "execute_all: a good one, and None", lambda ledger: ledger.execute_all([good, None])
    every: dict[str, dict[str, Any]] = {
        **dict.fromkeys(("source", "id", "subject"), NO_NAME), "time": NO_TIME,
    }  # fmt: skip
    of_instruct = {
        "line": NO_WORD, "amount": {**NO_MONEY, "zero": 0},
        "provider": {n: v for n, v in NO_WORD.items() if n != "None"},
        "account": OPTIONAL_NAME, "disbursement": {**OPTIONAL_NAME, "false": False},
    }  # fmt: skip
    of_buy = {
        "purchase": NO_NAME, "platform": NO_WORD, "price": {**NO_MONEY, "None": None},
        "method": NO_WORD, "package": {**OPTIONAL_NAME, "never offered": "PK-9"},
        "courses": {"None": None, "a number": 5, "text": "C-1", "none": [], "no course": [None],
                    "empty": [{}], "twice": BUY["courses"] * 2, "numbered": [{"course": 1, "institution": "I"}]},
    }  # fmt: skip
    of_stop = {
        "notice": NO_NAME,
        "effective": {**NO_DAY, "None": None, "text": "soon"},
        "platforms": {"None": None, "a number": 5, "text": "sisnaker", "none": [], "lists": [[]],
                      "unknown": ["nothing"], "twice": ["sisnaker"] * 2, "None in it": [None]},
        "subject": {**NO_NAME, "a participant": WHO},
    }  # fmt: skip
    tables = [(c.Instruct, INSTRUCT, {**every, **of_instruct}), (c.PurchaseTraining, BUY, {**every, **of_buy}),
              (c.StopPackageSales, STOP, of_stop), (c.SubmitSurvey, {"survey": 1}, every)]  # fmt: skip
    for kind, fields, table in tables:
        for field, values in table.items():
            for name, value in values.items():
                yield f"{kind.__name__}: {field} is {name}", asked(kind, fields, **{field: value})


# --- questions ------------------------------------------------------------------------------------


def questions() -> Iterator[Case]:
    for name, value in NO_TEXT.items():
        yield f"resolve: source is {name}", lambda ledger, v=value: ledger.resolve(v, "1")
        yield f"resolve: id is {name}", lambda ledger, v=value: ledger.resolve("//test", v)
        yield f"find: source is {name}", lambda ledger, v=value: ledger.find(v, "1")
        yield f"find: id is {name}", lambda ledger, v=value: ledger.find("//test", v)
    for name, value in {**NO_NAME, "unknown": "P-9"}.items():
        yield f"may_pay: participant is {name}", lambda ledger, v=value: ledger.may_pay(v, "survey/1", DAY)
        yield f"statement: participant is {name}", lambda ledger, v=value: ledger.statement(v, as_of=DAY)
    for name, value in NO_WORD.items():
        yield f"may_pay: line is {name}", lambda ledger, v=value: ledger.may_pay(WHO, v, DAY)
    for name, value in NO_DAY.items():
        yield f"may_pay: as_of is {name}", lambda ledger, v=value: ledger.may_pay(WHO, "survey/1", v)
        yield f"statement: as_of is {name}", lambda ledger, v=value: ledger.statement(WHO, as_of=v)
    yield "statement: as_of is None", lambda ledger: ledger.statement(WHO, as_of=None)
    no_instants = {**NO_TIME, "a moment": JULY_2, "another offset": "2020-07-02T10:00:00Z"}
    for name, value in no_instants.items():
        yield f"statement: known_at is {name}", lambda ledger, v=value: ledger.statement(WHO, as_of=DAY, known_at=v)
    for name, value in {"None": None, "text": "1", "a float": 1.5, "true": True, "a list": []}.items():
        yield f"lines: after is {name}", lambda ledger, v=value: list(ledger.lines(v))
    for name, value in {"None": None, "a number": 5, "text": "x", "a class": sqlite3.Connection}.items():
        yield f"using: {name}", lambda ledger, v=value: ledger.using(v)
    yield "using: another database", lambda ledger: using_another_database(ledger)


def using_another_database(ledger: Ledger) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        ledger.using(connection)


# --- what ledgers and schemes are made of ---------------------------------------------------------

SCHEME: dict[str, Any] = {
    "id": "pilot", "waves": range(72, 73), "training_balance": 1, "post_training": Instalments(2, each=1),
    "survey": Instalments(1, each=1), "payment_window_working_days": 5, "survey_payment_days": 14,
    "first_purchase_days": 15,
}  # fmt: skip


def openings() -> Iterator[Case]:
    urls: dict[str, Any] = {
        "None": None, "a number": 5, "bytes": b"sqlite:///x", "a path": Path("x"), "empty": "", "a file": "x.db",
        "no path": "sqlite:///", "another store": "nothing://x", "NUL": "sqlite:///\0", "half a pair": f"sqlite:///{HALF_A_PAIR}",
        "a folder": "sqlite:////", "a list": [],
    }  # fmt: skip
    for name, value in urls.items():
        yield f"open: url is {name}", lambda _, v=value: Ledger.open(v).close()
        yield f"open_history: source is {name}", lambda _, v=value: open_history(v).__enter__()
    wrong: dict[str, Any] = {"None": None, "a number": 5, "text": "x", "a class": dict}
    for name, value in wrong.items():
        yield f"open: programme is {name}", lambda _, v=value: Ledger.open("memory://", programme=v)
        if name != "a class":
            yield f"open: clock is {name}", lambda _, v=value: Ledger.open("memory://", clock=v)
    clocks: dict[str, Any] = {"naive": NAIVE, "a date": DAY, "None": None, "text": "2020-07-02T10:00:00Z"}
    for name, value in clocks.items():
        yield f"a clock that says {name}: record", lambda ledger, v=value: with_clock(ledger, v).record(enrolment("P-9"))
        yield f"a clock that says {name}: execute", lambda ledger, v=value: with_clock(ledger, v).execute(
            c.SubmitSurvey(source="//test", id="1", subject=WHO, survey=1))  # fmt: skip
        yield f"a clock that says {name}: may_pay", lambda ledger, v=value: with_clock(ledger, v).may_pay(WHO, "survey/1")


def with_clock(ledger: Ledger, said: Any) -> Ledger:
    return Ledger(ledger.journal, clock=lambda: said)


def makings() -> Iterator[Case]:
    counts = {name: value for name, value in NO_MONEY.items() if name not in {"too large", "enormous"}}
    for name, value in counts.items():
        yield f"Instalments: count is {name}", lambda _, v=value: Instalments(v, each=1)
        yield f"Instalments: each is {name}", lambda _, v=value: Instalments(1, each=v)
        yield f"Scheme: training_balance is {name}", lambda _, v=value: Scheme(**{**SCHEME, "training_balance": v})
        yield f"Scheme: payment_window_working_days is {name}", lambda _, v=value: Scheme(
            **{**SCHEME, "payment_window_working_days": v})  # fmt: skip
    for name, value in NO_NAME.items():
        yield f"Scheme: id is {name}", lambda _, v=value: Scheme(**{**SCHEME, "id": v})
        yield f"Programme: scheme {name}", lambda _, v=value: KARTU_PRAKERJA.scheme(v)
    for name, value in NO_DAY.items():
        yield f"Scheme: surveys_by is {name}", lambda _, v=value: Scheme(**{**SCHEME, "surveys_by": v})
        yield f"View: as_of is {name}", lambda _, v=value: View(as_of=v)
    for name, value in {"None": None, "text": "x", "a number": 5}.items():
        yield f"Programme: registering {name}", lambda _, v=value: KARTU_PRAKERJA.registering(v)
        yield f"Scheme: post_training is {name}", lambda _, v=value: Scheme(**{**SCHEME, "post_training": v})
    yield "View: as_of is None", lambda _: View(as_of=None)
    yield "View: known_at is a moment", lambda _: View(as_of=DAY, known_at=JULY_2)
    yield "View: known_at has another offset", lambda _: View(as_of=DAY, known_at=Instant("2020-07-02T10:00:00Z"))


EARNED: dict[type[c.Command], dict[str, Any]] = {
    c.LinkAccount: {"provider": "ovo", "account": "A-1"},
    c.VerifyAccount: {"account": "A-1"},
    c.CompleteCourse: {"course": "C-1"},
    c.IssueCertificate: {"course": "C-1", "certificate": "S-1"},
    c.RateCourse: {"course": "C-1", "programme": 5, "reviewed": True},
}
CASES = [*recordings(), *executions(), *questions(), *openings(), *makings()]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a participant who may be paid, so that nothing else is wrong with a command."""
    path = tmp_path_factory.mktemp("public") / "filled.db"
    with Ledger.open(f"sqlite:///{path}", clock=Clock(JULY_2)) as ledger:
        ledger.record_all([enrolment(WHO), purchase(WHO)])
        ledger.execute_all(
            kind(source="//life", id=kind.__name__, subject=WHO, **fields)
            for kind, fields in EARNED.items()
        )
    return path


@pytest.fixture
def ledger(filled: Path, tmp_path: Path) -> Iterator[Ledger]:
    path = shutil.copy(filled, tmp_path / "ledger.db")
    with Ledger.open(f"sqlite:///{path}", clock=Clock(JULY_2)) as opened:
        yield opened


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in CASES])
def test_bad_input_is_a_typed_error_before_anything_is_written(ledger: Ledger, call: Call) -> None:
    before = ledger.head()

    with pytest.raises((InvalidInput, Refused)) as raised:
        call(ledger)

    assert len(str(raised.value)) > 20, "no sentence"
    assert ledger.head() == before, "something was written"
    assert ledger.record(enrolment("P-8")) == Receipt(before + 1), "no longer usable"


def test_every_case_has_a_name_of_its_own() -> None:
    names = [name for name, _ in CASES]
    assert len(set(names)) == len(names)


# --- what is not bad ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda ledger: ledger.record(cloud_event()),
        asked(c.Instruct, INSTRUCT),
        asked(c.PurchaseTraining, BUY),
        asked(c.StopPackageSales, STOP),
        asked(c.SubmitSurvey, {"survey": 1}),
    ],
)
def test_what_the_bad_inputs_spoil_is_good(ledger: Ledger, call: Call) -> None:
    before = ledger.head()
    assert call(ledger) == Receipt(before + 1)


def test_nothing_to_do_is_nothing_done(ledger: Ledger) -> None:
    before = ledger.head()
    assert (ledger.record_all([]), ledger.execute_all(iter(()))) == ([], [])
    assert ledger.head() == before


@pytest.mark.parametrize("method", ["record_all", "execute_all"])
def test_what_a_callers_generator_raises_is_the_callers(ledger: Ledger, method: str) -> None:
    """As it is, and nothing of what came before it is written."""
    before = ledger.head()
    good = {
        "record_all": cloud_event(),
        "execute_all": c.LinkAccount(source="//t", id="1", subject=WHO, provider="ovo", account="A"),
    }

    def half() -> Iterator[Any]:
        yield good[method]
        raise Boom

    with pytest.raises(Boom):
        getattr(ledger, method)(half())
    assert ledger.head() == before
    assert getattr(ledger, method)([good[method]]) == [Receipt(before + 1)]


def test_what_a_callers_clock_raises_is_the_callers(ledger: Ledger) -> None:
    before = ledger.head()

    def broken() -> datetime:
        raise Boom

    with pytest.raises(Boom):
        Ledger(ledger.journal, clock=broken).record(enrolment("P-9"))
    assert ledger.head() == before
    assert ledger.record(enrolment("P-9")) == Receipt(before + 1)


@pytest.mark.parametrize("text", ["\0", "P\0", "\0\0", "P\x85", "\u2028"], ids=ascii)
def test_a_character_that_some_stores_or_readers_stumble_over_is_one(ledger: Ledger, text: str) -> None:
    receipt = ledger.record(enrolment(text, text) | {"source": text})

    assert ledger.find(text, text) == receipt.position
    assert ledger.resolve(text, text) == Receipt(receipt.position, duplicate=True)
    assert ledger.statement(text, as_of=DAY).participant == text
    assert ledger.record(enrolment(text, text) | {"source": text}).duplicate


def test_any_mapping_is_recorded(ledger: Ledger) -> None:
    """A mapping in it too."""
    given = enrolment("P-9")
    before = ledger.head()

    receipt = ledger.record(MappingProxyType({**given, "data": MappingProxyType(given["data"])}))

    assert receipt == Receipt(before + 1)
    assert ledger.record(given) == Receipt(before + 1, duplicate=True)


@pytest.mark.parametrize("given", [list, tuple, UserList], ids=lambda kind: kind.__name__)
def test_courses_and_platforms_are_taken_from_any_sequence(given: Callable[[list[Any]], Any]) -> None:
    course = facts.Course(course="C-1", institution="LP-1")
    offered = facts.PackageOffered(platform="sisnaker", price=1, courses=given([course]))
    stopped = facts.PackageSalesStopped(notice="S-1", effective=DAY, platforms=given(["sisnaker"]))
    assert (offered.courses, stopped.platforms) == ((course,), ("sisnaker",))


@pytest.mark.parametrize("amount", [True, 1.0, Decimal(1)], ids=repr)
def test_the_same_command_again_is_as_good_as_the_first(ledger: Ledger, amount: Any) -> None:
    """`True == 1 == 1.0`: what would be refused at first is no duplicate later."""
    asked(c.Instruct, INSTRUCT, amount=1)(ledger)
    with pytest.raises((InvalidInput, Refused)):
        asked(c.Instruct, INSTRUCT, amount=amount)(ledger)


# --- facts ----------------------------------------------------------------------------------------

FIELDS: dict[str, Any] = {
    "account": "A-1", "amount": 1, "authority": "PMO", "certificate": "S-1", "channel": "phone",
    "complaint": "K-1", "component": "survey", "course": "C-1", "disbursement": "D-1", "effective": DAY,
    "courses": [{"course": "C-1", "institution": "LP-1"}], "facilities": 5, "id": "1", "instalment": 1,
    "instructor": 5, "method": "prakerja", "notice": "S-148", "outcome": "paid", "package": "PK-1",
    "platform": "sisnaker", "platforms": ["sisnaker"], "price": 0, "programme": 5, "provider": "ovo",
    "purchase": "U-1", "reason": "technical", "reference": "R-1", "reviewed": True,
    "scheme": "semi-bansos-2020", "score": 100, "source": "//test", "survey": 1, "wave": 1,
}  # fmt: skip
NEVER: dict[str, Any] = {
    "an object": object(), "an empty list": [], "a list in a list": [[]], "a dict": {}, "bytes": b"x",
    "a fraction": 1.5, "a whole float": 1.0, "nan": math.nan, "a decimal": Decimal(1), "nothing": "",
    "a moment": JULY_2, "naive": NAIVE, "below zero": -1, "too large": 2**53, "too long": TOO_LONG,
    "a class": int,
}  # fmt: skip
FIELDS_OF_FACTS = [
    pytest.param(kind, field, id=f"{kind.__name__}.{field}")
    for kind in facts.FACTS.values()
    for field in facts.FIELD_NAMES[kind]
]


def good(kind: type[facts.Fact], **changed: Any) -> facts.Fact:
    fields = {name: FIELDS[name] for name in facts.FIELD_NAMES[kind]}
    if kind is facts.ParticipationRevoked:
        fields["reason"] = "fraud"
    return kind(**{**fields, **changed})


@pytest.mark.parametrize(("kind", "field"), FIELDS_OF_FACTS)
def test_no_field_of_a_fact_takes_a_value_of_another_kind(kind: type[facts.Fact], field: str) -> None:
    good(kind)
    taken = []
    is_optional = {one.name: one.default is None for one in facts.fields_of(kind)}[field]
    for name, value in {**NEVER, **({} if is_optional else {"None": None})}.items():
        try:
            good(kind, **{field: value})
        except InvalidField as refused:
            assert refused.fields["field"] == field
        else:
            taken.append(name)
    assert taken == []


@pytest.mark.parametrize(("kind", "field"), FIELDS_OF_FACTS)
def test_an_enormous_number_is_refused_like_any_other(kind: type[facts.Fact], field: str) -> None:
    with pytest.raises(InvalidField):
        good(kind, **{field: ENORMOUS})


# --- what mypy says -------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
SURFACE = ROOT / "tests/typed/public_surface.py"
MARK = re.compile(r"  # expect: ([a-z-]+(?:, [a-z-]+)*)$")
SAID = re.compile(r"[^:]+:(\d+): error: .*  \[([a-z-]+)\]")

Codes = set[tuple[int, str]]
"""Lines, each with the code of an error on it."""


def expected() -> Codes:
    found = [(n, MARK.search(line)) for n, line in enumerate(SURFACE.read_text().splitlines(), 1)]
    return {(number, code) for number, mark in found if mark for code in mark[1].split(", ")}


@pytest.fixture(scope="module")
def reported() -> Codes:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)  # where the settings are, and the cache that `make types` has filled
        said, problem, _ = mypy.api.run(["--no-error-summary", str(SURFACE.relative_to(ROOT))])
    assert not problem, problem
    lines = [line for line in said.splitlines() if ": note: " not in line]
    matches = [SAID.fullmatch(line) for line in lines]
    assert all(matches), said
    return {(int(match[1]), match[2]) for match in matches if match}


def test_mypy_finds_each_bad_use_and_no_fault_with_a_good_one(reported: Codes) -> None:
    assert reported == expected()


def test_every_public_name_is_used_well_and_every_command_badly_too() -> None:
    lines = SURFACE.read_text().splitlines()
    good = "\n".join(line for line in lines if not MARK.search(line))
    bad = "\n".join(line for line in lines if MARK.search(line))
    commands = [kind.__name__ for kind in c.FACT_OF]
    body = good[good.index("DAY = ") :]
    assert [name for name in prakerja_ledger.__all__ if not re.search(rf"\b{name}\b", body)] == []
    assert [name for name in commands if f"c.{name}(" not in good or f"c.{name}(" not in bad] == []
