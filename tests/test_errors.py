"""Every error of the package: raised by something, with its code, its fields and its text."""

from __future__ import annotations

import pickle
import sqlite3
from contextlib import closing, contextmanager
from datetime import date
from functools import partial

import pytest

from prakerja_ledger.domain import errors as e
from prakerja_ledger.domain import facts as f
from prakerja_ledger.domain.holidays import INDONESIA
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.domain.time import day, instant
from prakerja_ledger.evidence.canonical import canonical_json
from prakerja_ledger.evidence.merkle import EMPTY_ROOT, check_inclusion
from prakerja_ledger.evidence.checkpoint import Checkpoint, Head
from prakerja_ledger.interfaces.history_file import lines_of
from prakerja_ledger.interfaces.cli.commands.proving import _check_found
from prakerja_ledger.interfaces.cli.commands.sealing import check_free
from prakerja_ledger.interfaces.logs import open_logs
from prakerja_ledger.interfaces.proving import Asked, events_proved
from prakerja_ledger.ledger.ledger import Ledger
from prakerja_ledger.vault.keys import keys_in
from prakerja_ledger.vault.person import PersonalField
from prakerja_ledger.vault.secret import Secret
from prakerja_ledger.vault.vault import Vault
from tests.support import as_lines, enrolled, linked, recorded, view
from tests.vault_support import NOON, WARRANT, Marked, new_keys

FAMILIES = {e.PrakerjaLedgerError, e.InvalidInput}
"""Never raised themselves: what to catch, not what happened."""


def errors() -> set[type[e.PrakerjaLedgerError]]:
    """Every error class of the package."""
    found, left = set(), [e.PrakerjaLedgerError]
    while left:
        kind = left.pop()
        found.add(kind)
        left += kind.__subclasses__()
    return found


def not_in_view(_):
    recorded(enrolled()).evaluation(view("2020-01-01")).statement("P-1")


def not_known_in_view(_):
    recorded(enrolled()).evaluation(view("2020-12-31", "2020-01-01")).statement("P-1")


def recording(*lines, tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        for line in lines:
            ledger.record(line)


def refused(tmp_path):
    recording(*as_lines(linked()), tmp_path=tmp_path)


def conflict(tmp_path):
    recording(*as_lines(enrolled() + linked(id="enrolled P-1")), tmp_path=tmp_path)


def unreadable(tmp_path):
    list(lines_of(str(tmp_path / "nothing.jsonl")))


def ledger_fault(tmp_path):
    """A table of the ledger is taken away under it."""
    path = tmp_path / "ledger.db"
    recording(*as_lines(enrolled()), tmp_path=tmp_path)
    with Ledger.open(f"sqlite:///{path}") as ledger:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE stored_events")
            connection.commit()
        ledger.record(as_lines(linked())[0])


def not_as_sealed(tmp_path):
    recording(*as_lines(enrolled()), tmp_path=tmp_path)
    with open_logs(f"sqlite:///{tmp_path}/ledger.db") as logs:
        events_proved(logs, Checkpoint("ledger.example", (Head(1, EMPTY_ROOT),)), lambda *_: True)


def not_proved(_):
    _check_found("ledger", [], Asked(("//test/e-1",)), Checkpoint("ledger.example", (Head(1, EMPTY_ROOT),)))


def unwritable(tmp_path):
    (tmp_path / "there").touch()
    check_free(tmp_path / "there")


def no_such_line(tmp_path):
    with recorded_ledger(tmp_path) as ledger:
        ledger.may_pay("P-1", "survey/9", date(2020, 7, 2))


@contextmanager
def recorded_ledger(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        ledger.record(as_lines(enrolled())[0])
        yield ledger


def turn_lost(tmp_path):
    """The caller's transaction has looked before another wrote."""
    with recorded_ledger(tmp_path) as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM stored_events").fetchall()
            ledger.record(as_lines(linked())[0])
            ledger.using(connection).record(as_lines(enrolled(who="P-2"))[0])


def unusable_connection(tmp_path):
    with recorded_ledger(tmp_path) as ledger:
        ledger.using(None)


class NoCommit:
    """A writer's turn whose commit meets a disk error."""

    def __init__(self, cursor):
        self.cursor, self.connection = cursor, cursor.connection

    def execute(self, statement):
        raise sqlite3.OperationalError("disk I/O error")


def commit_in_doubt(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        turn = ledger.journal.writing()
        with turn:
            turn._cursor = NoCommit(turn._cursor)


def outcome_unknown(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        stock = ledger.journal.writing

        def writing(plan):
            turn = stock(plan)
            enter = turn.__enter__()
            turn._cursor = NoCommit(turn._cursor)
            return Entered(turn, enter)

        ledger.journal.writing = writing
        ledger.record(as_lines(enrolled())[0])


class Entered:
    """A context that was entered already."""

    def __init__(self, turn, entered):
        self.turn, self.entered = turn, entered

    def __enter__(self):
        return self.entered

    def __exit__(self, *error):
        return self.turn.__exit__(*error)


def invalid_person(_):
    Marked(1).person(nik=Secret("12"))


def key_refused(tmp_path):
    keys_in(tmp_path / "none")


@contextmanager
def vault_of_one(tmp_path):
    url = f"sqlite:///{tmp_path}/vault.db"
    with Vault.create(url, new_keys(tmp_path / "keys"), WARRANT, clock=lambda: NOON) as vault:
        yield vault, vault.register(Marked(1).person(), WARRANT).participant


def not_in_vault(tmp_path):
    with vault_of_one(tmp_path) as (vault, _):
        vault.forget(["p-1"], WARRANT)


def forgotten(tmp_path):
    with vault_of_one(tmp_path) as (vault, participant):
        vault.forget([participant], WARRANT)
        vault.reveal(participant, (PersonalField.NIK,), WARRANT)


def restricted(tmp_path):
    with vault_of_one(tmp_path) as (vault, participant):
        vault.restrict(participant, WARRANT)
        vault.reveal(participant, (PersonalField.NIK,), WARRANT)


def vault_damaged(tmp_path):
    with vault_of_one(tmp_path) as (vault, participant):
        with closing(sqlite3.connect(tmp_path / "vault.db")) as connection, connection:
            connection.execute("DELETE FROM wrapped_keys")
        vault.reveal(participant, (PersonalField.NIK,), WARRANT)


# error → what raises it, its code, how its text begins and ends
SCENARIOS = {
    e.InvalidField: (
        lambda _: f.SurveySubmitted(survey=0), "INVALID_FIELD",
        "field survey is 0; expected an integer from 1 to 9007199254740991. ",
        "Correct it and send the event again.",
    ),
    e.InvalidTimestamp: (
        lambda _: instant("now"), "INVALID_TIMESTAMP",
        "'now' is not an RFC 3339 timestamp with offset, such as 2020-05-19T10:00:00+07:00, ",
        "Write it so.",
    ),
    e.InvalidDate: (
        lambda _: day("2021-02-29"), "INVALID_DATE", "'2021-02-29' is not a date. ",
        "Write it as YYYY-MM-DD, such as 2020-07-02.",
    ),
    e.CalendarTooShort: (
        lambda _: INDONESIA.after(date(2030, 1, 1), 1), "CALENDAR_TOO_SHORT",
        "the list of working-day holidays covers 2020-01-01 to 2027-12-31, and 2030-01-01 lies ",
        "and name it with --holidays FILE.",
    ),
    e.HolidaysWithGap: (
        lambda _: INDONESIA.extended([date(2030, 1, 1)]), "HOLIDAYS_WITH_GAP",
        "the holidays skip the year 2028: ", "Add the holidays of every year in between.",
    ),
    e.UnknownScheme: (
        lambda _: KARTU_PRAKERJA.scheme("x"), "UNKNOWN_SCHEME", "scheme x is not registered. ",
        "Known schemes: semi-bansos-2020, semi-bansos-2021, semi-bansos-2022, normal-2023, "
        "normal-2024.",
    ),
    e.NotInView: (
        not_in_view, "NOT_IN_VIEW", "participant P-1 is not in view: ",
        "Check the id, or ask for a later day (--as-of).",
    ),
    e.NotKnownInView: (
        not_known_in_view, "NOT_IN_VIEW", "participant P-1 is not in view: ",
        "Check the id, or ask for a later day (--as-of) or moment (--known-at).",
    ),
    e.Refused: (
        refused, "NOT_ENROLLED", "no enrolment of P-1 is recorded before it. ",
        "Import the enrolment first, then this line again.",
    ),
    e.Conflict: (
        conflict, "CONFLICTING_DUPLICATE",
        "//test enrolled P-1 is already recorded at position 1 with other content (recorded 876f7acc, given ",
        "send the new fact under a new id, or correct the old one by an event-voided.",
    ),
    e.UnreadableSource: (unreadable, "UNREADABLE_SOURCE", "cannot read ", "."),
    e.NotCanonical: (
        lambda _: canonical_json(0.5), "NOT_CANONICAL",
        "there are no canonical bytes for this: 0.5 is no integer. ",
        "Compare it with the source that it came from.",
    ),
    e.InvalidEvidence: (
        lambda _: check_inclusion(0, 1, EMPTY_ROOT, EMPTY_ROOT, [EMPTY_ROOT]), "INVALID_EVIDENCE",
        "the proof is not valid: it has 1 hashes, ", "Ask whoever gave it to you for another copy.",
    ),
    e.NotProved: (
        not_proved, "NOT_PROVED",
        "ledger: //test/e-1 is not among the first 1 events, of which the checkpoint speaks. ",
        "or seal the history anew.",
    ),
    e.UnwritableTarget: (
        unwritable, "UNWRITABLE_TARGET", "/",
        "there is not written: it is there already, and is never written over. Name another file.",
    ),
    e.NotAsSealed: (
        not_as_sealed, "NOT_AS_SEALED", "sqlite:///",
        "it does not begin with what the checkpoint says. verify tells where it differs.",
    ),
    e.LedgerFault: (ledger_fault, "LEDGER_FAULT", "sqlite:///", "."),
    e.NoSuchLine: (no_such_line, "NO_SUCH_LINE", "participant P-1 has no line survey/9. Lines: ", "survey/3."),
    e.CommitInDoubt: (commit_in_doubt, "COMMIT_IN_DOUBT", "sqlite:///", "disk I/O error."),
    e.TurnLost: (
        turn_lost, "TURN_LOST", "sqlite:///", "Roll back and run it again, best begun with BEGIN IMMEDIATE.",
    ),
    e.UnusableConnection: (
        unusable_connection, "UNUSABLE_CONNECTION", "this connection cannot be used with sqlite:///",
        "Give a sqlite3.Connection, or a SQLAlchemy Connection or Session on one.",
    ),
    e.OutcomeUnknown: (
        outcome_unknown, "OUTCOME_UNKNOWN",
        "whether //test enrolled P-1 was recorded is not known: disk I/O error. ",
        "a second identity could record it twice.",
    ),
    e.InvalidPerson: (
        invalid_person, "INVALID_PERSON", "nik is not 16 digits. ", "since it may be personal.",
    ),
    e.KeyRefused: (key_refused, "KEY_REFUSED", "the key /", "there is no such folder. Name another."),
    e.NotInVault: (
        not_in_vault, "NOT_IN_VAULT", "the vault holds nobody under the participant id that was given. ",
        "was printed when the person was added.",
    ),
    e.Forgotten: (
        forgotten, "FORGOTTEN", "the data of participant p-", "stand in the ledger under the id.",
    ),
    e.Restricted: (
        restricted, "RESTRICTED", "the data of participant p-", "lift it (vault lift), and ask again.",
    ),
    e.VaultDamaged: (
        vault_damaged, "VAULT_DAMAGED", "sqlite:///", "Restore it from a copy.",
    ),
}  # fmt: skip


def raised(kind, tmp_path) -> e.PrakerjaLedgerError:
    with pytest.raises(kind) as caught:
        SCENARIOS[kind][0](tmp_path)
    assert type(caught.value) is kind
    return caught.value


def test_every_error_has_a_scenario():
    assert errors() == SCENARIOS.keys() | FAMILIES


@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda kind: kind.__name__)
def test_an_error_is_raised_with_its_code_and_its_text(kind, tmp_path):
    """It says what and why, and ends with what to do now."""
    error = raised(kind, tmp_path)
    _, code, begins, ends = SCENARIOS[kind]
    assert error.code == code
    assert str(error).startswith(begins)
    assert str(error).endswith(ends)


@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda kind: kind.__name__)
def test_an_error_carries_the_fields_of_its_text(kind, tmp_path):
    """So that an interface can say it in another language."""
    error = raised(kind, tmp_path)
    assert type(error).template.format(**error.fields) == str(error)


@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda kind: kind.__name__)
def test_an_error_survives_the_way_between_processes(kind, tmp_path):
    error = raised(kind, tmp_path)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, str(again)) == (kind, error.code, str(error))


def test_errors_that_mean_different_things_have_different_codes():
    codes = [kind.code for kind in errors() - {e.NotKnownInView, e.Refused}]
    assert len(set(codes)) == len(codes)


def test_whoever_catches_the_root_catches_every_error():
    assert all(issubclass(kind, e.PrakerjaLedgerError) for kind in errors())


@pytest.mark.parametrize("kind", sorted(FAMILIES, key=lambda kind: kind.__name__))
def test_a_family_formats_its_problem(kind):
    assert str(kind(problem="what, why, what now")) == "what, why, what now"


def test_a_text_without_its_fields_is_a_fault_of_the_program():
    with pytest.raises(KeyError):
        e.InvalidDate()


def test_a_refusal_is_a_value_and_no_exception():
    one = partial(e.Refusal, code="ILLEGAL_MOVE", template="{what} is not.")
    assert one(fields={"what": "this"}) == one(fields={"what": "this"})
    assert str(one(fields={"what": "this"})) == "this is not."
