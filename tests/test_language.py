"""Both languages say everything, and say it whole: no gap in the catalogue, no English in Indonesian."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from babel.numbers import format_decimal
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.facts import FACTS
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.domain.time import instant
from prakerja_ledger.domain.vocabulary import REASONS, Owner
from prakerja_ledger.interfaces.cli import explain
from prakerja_ledger.interfaces.cli.main import cli
from prakerja_ledger.interfaces.cli.words import Words, language_of
from prakerja_ledger.reading.causes import BECAUSE, BECAUSE_OF, Because, Cause
from prakerja_ledger.reading.finding import Code
from prakerja_ledger.reading.statement import Standing, Status
from prakerja_ledger.reading.totals import GROUPINGS
from tests import worlds
from tests.support import (
    as_lines,
    bought,
    certified,
    complained,
    completed,
    corrected,
    enrolled,
    failed,
    held,
    instructed,
    line_of,
    linked,
    offered,
    rated,
    recorded,
    refunded,
    reinstated,
    rejected,
    resolved,
    resumed,
    returned,
    revoked,
    sales_stopped,
    settled,
    surveyed,
    told,
    unlinked,
    verified,
    voided,
    withdrawn,
)

ROOT = Path(__file__).resolve().parent.parent
BOTH = pytest.mark.parametrize("language", ["id", "en"])


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


catalogue = _script("catalogue")
MESSAGES = list(catalogue.messages())


def whole(sentence: str) -> str:
    """A sentence that is there and has no field left open."""
    assert sentence.strip()
    assert "{" not in sentence and "}" not in sentence, sentence
    return sentence


def said_in_both(say) -> tuple[str, str]:
    """What `say(words)` says in each language: two whole sentences that differ."""
    english, indonesian = (whole(say(Words(language))) for language in ("en", "id"))
    assert english != indonesian
    return english, indonesian


# --- the catalogue ----------------------------------------------------------------------------


def test_the_catalogue_is_complete():
    """What a failure lists is mended by `python scripts/catalogue.py extract` (and `compile`)."""
    assert catalogue.check() == 0


@pytest.fixture
def copied(tmp_path, monkeypatch) -> Path:
    """The catalogues in a place where they may be spoilt; returns the .po."""
    shutil.copytree(catalogue.LOCALES, tmp_path / "locale")
    monkeypatch.setattr(catalogue, "LOCALES", tmp_path / "locale")
    monkeypatch.setattr(catalogue, "POT", tmp_path / "locale" / catalogue.POT.name)
    return catalogue.po_path("id")


def problems(capsys) -> str:
    assert catalogue.check() == 1
    return capsys.readouterr().err


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


ONE = 'msgid "Audit of {source}"\nmsgstr "Audit atas {source}"\n'


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("", "a message is missing"),
        ('msgid "Audit of {source}"\nmsgstr ""\n', "empty"),
        ("#, fuzzy\n" + ONE, "fuzzy"),
        (ONE.replace("atas {source}", "atas"), "names no field, the message source"),
        (ONE.replace("atas {source}", "atas {sumber}"), "names sumber, the message source"),
        (ONE.replace("atas {source}", "atas {source!r}"), "names source!r, the message source"),
        (ONE.replace("atas {source}", "atas {source"), "does not format"),
        (ONE.replace("atas {source}", "atas {}"), "does not format"),
        (ONE + '\nmsgid "nobody says this"\nmsgstr "tidak ada"\n', "no code says this"),
        (ONE.replace("Audit atas", "Hasil audit atas"), "not what the .po compiles to"),
    ],
)
def test_a_gap_in_the_translations_is_found(copied, capsys, spoilt, said):
    spoil(copied, ONE, spoilt)
    assert said in problems(capsys)


def test_a_template_without_a_message_is_found(copied, capsys):
    spoil(catalogue.POT, 'msgid "Audit of {source}"\nmsgstr ""\n', "")
    assert "a message is missing" in problems(capsys)


def test_missing_files_are_found(copied, capsys):
    catalogue.POT.unlink()
    copied.with_suffix(".mo").unlink()
    said = problems(capsys)
    assert "a message is missing" in said and "not what the .po compiles to" in said
    copied.unlink()
    assert "id/LC_MESSAGES/prakerja_ledger.po is missing" in problems(capsys)


def test_writing_the_files_again_changes_no_byte(copied):
    files = [catalogue.POT, copied, copied.with_suffix(".mo")]
    catalogue.extract(), catalogue.compile_()
    first = [file.read_bytes() for file in files]
    catalogue.extract(), catalogue.compile_()
    assert [file.read_bytes() for file in files] == first
    assert not any(b"Date" in text or b"Generated" in text for text in first)


def test_a_translation_is_kept_and_a_changed_message_waits_for_a_reader(copied):
    """`extract` loses no translation; one taken over from a similar message is marked fuzzy."""
    before = {m.id: m.string for m in catalogue.read_translations("id")}
    spoil(copied, 'msgid "Audit of {source}"', 'msgid "Audits of {source}"')
    catalogue.extract()
    after = {m.id: m for m in catalogue.read_translations("id")}
    assert after.keys() == before.keys()
    assert after["Audit of {source}"].fuzzy
    assert {id: m.string for id, m in after.items()} == before


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('N_("one"); N_("two" "three")', ["one", "twothree"]),
        ('N_("one" if x else "two")', ["one", "two"]),
        ('class E:\n    template: ClassVar[str] = "one"\nclass F:\n    template = "two"', None),
        ('Refusal(code=A, template="one"); illegal("two"); NotJson("{a}", a=1)', None),
        ('T = {"a": "one", "b": "two"}\nRefusal(code="A", template=T[what])', ["one", "two"]),
        ('T: Final = "one"\nillegal(T, kind=1)', ["one"]),
        ("Refusal(code=1, template=error.template); illegal(template)", []),
    ],
)
def test_messages_are_found_wherever_they_are_defined(code, found):
    made = list(catalogue.messages_of(code, "x.py"))
    assert made == (re.findall(r'"([^"]+)"', code) if found is None else found)


@pytest.mark.parametrize("code", ['N_(f"one {x}")', "N_(x)", 'illegal("a" + x)', 'N_("")'])
def test_a_computed_message_is_an_error(code):
    with pytest.raises(catalogue.NotAMessage, match=r"x\.py:1"):
        list(catalogue.messages_of(code, "x.py"))


# --- everything has a sentence ----------------------------------------------------------------


@pytest.fixture(scope="module")
def line():
    """Any line that is earned and due: causes name its dates."""
    return line_of(enrolled() + bought() + completed() + certified() + rated(), "2020-05-06")


WITH_A_REASON = {cause for cause, _ in BECAUSE_OF}


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("scheme", KARTU_PRAKERJA.schemes.values(), ids=lambda scheme: scheme.id)
def test_every_cause_has_a_sentence_and_a_next_step(cause, scheme, line):
    ways = (
        [because for (one, _), because in BECAUSE_OF.items() if one is cause]
        if cause in WITH_A_REASON
        else [BECAUSE[cause]]
    )
    assert ways
    for because in ways:
        said_in_both(lambda words, one=because: explain.why(words, one, line, scheme))
        said_in_both(lambda words, one=because: explain.next_step(words, one))
        said_in_both(lambda words, one=because: explain.owner(words, one.owner))


def test_a_cause_says_the_reason_and_the_dates(line):
    scheme = KARTU_PRAKERJA.scheme("semi-bansos-2020")
    late = Because(Cause.TRANSFER_FAILED, Owner.PARTICIPANT, "nik-mismatch")
    english, indonesian = said_in_both(lambda words: explain.why(words, late, line, scheme))
    assert english == "the last transfer failed: the identity number does not match"
    assert indonesian == "transfer terakhir gagal: NIK tidak cocok"
    cut_off = BECAUSE[Cause.FIRST_COURSE_CUT_OFF]
    english, indonesian = said_in_both(lambda words: explain.why(words, cut_off, line, scheme))
    assert "Tue 15 Dec 2020" in english and "Sel 15 Des 2020" in indonesian


@pytest.mark.parametrize("owner", Owner)
def test_every_owner_has_a_name(owner):
    said_in_both(lambda words: explain.owner(words, owner))


@BOTH
def test_nobody_has_no_name(language):
    assert explain.owner(Words(language), None) == ""


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_name(status):
    said_in_both(lambda words: words(explain.STATUSES[status]))


@BOTH
def test_no_two_owners_or_standings_are_called_the_same(language):
    """`not earned yet` and the amount `not yet earned` may be; two keys of one table may not."""
    words = Words(language)
    for table in (explain.STATUSES, explain.STANDINGS, explain.OWNERS, explain.REASON_WORDS):
        names = [words(message) for message in table.values()]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("standing", Standing)
def test_every_standing_has_a_name(standing):
    said_in_both(lambda words: words(explain.STANDINGS[standing]))


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_words(reason):
    said_in_both(lambda words: words(explain.REASON_WORDS[reason]))


EVERYTHING = [
    *offered(), *withdrawn(), *sales_stopped(), *held(), *resumed(),
    *enrolled(), *corrected(wave=2, scheme="semi-bansos-2020"),
    *linked(), *verified(), *rejected(), *unlinked(),
    *bought("C-1", "C-2", "C-3"), *bought("C-4", purchase="B-2", package="PK-1"),
    *refunded(100_000), *completed(), *certified(),
    *rated(), *rated("C-2", reviewed=False), *surveyed(),
    *instructed("D-1"), *settled("D-1"), *returned("D-1"), *instructed("D-2"), *failed("D-2"),
    *revoked(), *reinstated(), *complained(), *resolved(),
    *voided("surveyed 1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def everything():
    """A history with every kind of fact, and its participant."""
    read = recorded(EVERYTHING)
    return list(read.events.values()), read.register.participants.get("P-1")


@pytest.mark.parametrize("kind", FACTS.values(), ids=lambda kind: kind.kind)
def test_every_kind_of_fact_has_a_sentence(kind, everything):
    events, participant = everything
    own = [event for event in events if type(event.fact) is kind]
    assert own, "the history of this test has no such fact"
    for event in own:
        said_in_both(lambda words, one=event: explain.what_happened(words, one, participant))


def test_what_happened_reads_well(everything):
    events, participant = everything
    indonesian = Words("id")
    said = {e.id: explain.what_happened(indonesian, e, participant) for e in events}
    assert said["bought B-1"] == (
        "membeli C-1, C-2 dan C-3 seharga Rp400.000 di skill-academy, dibayar dengan saldo pelatihan"
    )
    assert said["settled D-1"] == (
        "pencairan D-1 berhasil: Rp600.000 masuk untuk post-training/1 (referensi R-1)"
    )
    assert said["failed D-2"] == (
        "pencairan D-2 untuk post-training/1 gagal: gangguan teknis pada mitra pembayaran"
    )


DETAILS = {
    Code.PACKAGE_BUNDLES_COURSES: "courses institutions",
    Code.PACKAGE_OTHER_PLATFORM: "purchase package platform offered_by",
    Code.PACKAGE_SOLD_AFTER_STOP: "purchase package platform notice effective",
    Code.CASH_BEFORE_PACKAGE_DONE: "purchase package open finished_on",
    Code.COURSE_UNRATED: "purchase course institution platform missing",
    Code.COURSE_NOT_EVALUABLE: "packages",
    Code.BALANCE_OVERSPENT: "",
    Code.FIRST_PURCHASE_LATE: "limit",
    Code.PAID_UNEARNED: "line disbursement earned_on",
    Code.PAID_TWICE: "line",
    Code.PAID_AFTER_REVOCATION: "line disbursement",
    Code.PAID_WITHOUT_VERIFIED_ACCOUNT: "line disbursement",
    Code.PAID_TO_OTHER_ACCOUNT: "line disbursement account",
    Code.SETTLED_AFTER_FAILURE: "line disbursement",
    Code.INSTRUCTED_UNDULY: "line disbursement why",
    Code.SHARED_ACCOUNT: "provider account participants",
    Code.DUPLICATE_CERTIFICATE: "course certificate pairs",
    Code.CERTIFICATE_BEFORE_COMPLETION: "course certificate",
    Code.SURVEY_OUT_OF_ORDER: "survey",
    Code.WAVE_OUTSIDE_SCHEME: "wave scheme",
    Code.REPORTED_LATE: "type course",
}
"""What a finding of each code carries (contract, section 5)."""
SAMPLES = {
    "courses": 3, "institutions": 1, "participants": 2, "pairs": 2, "survey": 2, "wave": 12,
    "open": ["C-1", "C-2"], "missing": ["instructor", "facilities", "programme"],
    "packages": ["PK-1", "PK-2"],
    "why": ["over-amount", "already-paid", "in-flight", "not-earned", "revoked"],
    "effective": "2020-06-30", "limit": "2020-07-01", "finished_on": None, "earned_on": None,
    "type": "course-rated", "line": "post-training/1", "platform": "tokopedia",
    "offered_by": "skill-academy", "provider": "gopay", "scheme": "semi-bansos-2020",
}  # fmt: skip


@pytest.mark.parametrize("code", Code)
def test_every_finding_has_a_sentence(code):
    detail = {name: SAMPLES.get(name, f"X-{name}") for name in DETAILS[code].split()}
    said_in_both(lambda words: explain.finding_sentence(words, code, detail))


# --- dates, numbers, money --------------------------------------------------------------------

JULY_2 = date(2020, 7, 2)


@pytest.mark.parametrize(
    ("language", "day", "moment", "number", "listed"),
    [
        ("id", "Kam 2 Jul 2020", "Jum 1 Mei 2020 00:30", "1.234.567", "a, b dan c"),
        ("en", "Thu 2 Jul 2020", "Fri 1 May 2020 00:30", "1,234,567", "a, b and c"),
    ],
)
def test_dates_and_numbers_are_those_of_the_language(language, day, moment, number, listed):
    words = Words(language)
    assert words.day(JULY_2) == day
    assert words.moment(instant("2020-04-30T17:30:00Z")) == moment
    assert words.number(1_234_567) == number
    assert words.listed(["a", "b", "c"]) == listed
    assert words.day(None) == "–"


@given(st.integers(-(10**18), 10**18))
@pytest.mark.parametrize("language", ["id", "en"])
def test_counts_are_grouped_as_in_cldr(language, count):
    assert Words(language).number(count) == format_decimal(count, locale=language)


def test_august_and_december_are_indonesian():
    words = Words("id")
    assert words.day(date(2020, 8, 2)) == "Min 2 Agu 2020"
    assert words.day(date(2020, 12, 15)) == "Sel 15 Des 2020"


@BOTH
def test_rupiah_are_written_as_in_indonesia(language):
    words = Words(language)
    assert [words.money(n) for n in (3_550_000, 600_000, 0, -50_000)] == [
        "Rp3.550.000",
        "Rp600.000",
        "Rp0",
        "-Rp50.000",
    ]


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "id_ID.UTF-8"}, "id"),
        ({"LANG": "in_ID"}, "id"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LC_ALL": "id_ID", "LANG": "en_US"}, "id"),
        ({"LANG": "C"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_locale(environment, language):
    assert language_of(environment) == language


# --- what commands print ----------------------------------------------------------------------


class Said:
    """A message as it may stand in a text, whatever its fields are filled with."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.parts = [part for part in re.split(r"\{\w+\}", message) if part]
        self.is_one_word = len(re.findall(r"[A-Za-z]+", " ".join(self.parts))) < 2
        filled = "".join(
            ".+?" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{\w+\})", message)
        )
        self.whole = re.compile(filled).fullmatch
        self.within = re.compile(rf"(?<!\w)(?:{filled})(?!\w)").search

    def stands_in(self, text: str, cells: set[str]) -> bool:
        """One word counts as a cell of its own only: data may hold it too ("review and report")."""
        if not all(part in text for part in self.parts):
            return False
        if self.is_one_word:
            return any(self.whole(cell) for cell in cells)
        return self.within(text) is not None


ENGLISH = [Said(message) for message in MESSAGES if Words("id")(message) != message]


def untranslated(text: str) -> set[str]:
    """The English messages that a text holds."""
    cells = {cell.strip() for cell in re.split(r"\n|  +|; | · ", text)}
    return {one.message for one in ENGLISH if one.stands_in(text, cells)}


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.output.strip()
    return result.output


def everything_said(history: str, as_of: str, *more: str) -> dict[str, str]:
    """What each command says of a history."""
    view = ("--as-of", as_of, *more)
    answers = {
        command: run(command, history, *view)
        for command in ("audit", "statement", "unpaid", "findings")
    }
    for by in GROUPINGS:
        answers[f"totals {by}"] = run("totals", history, "--by", by, *view)
    answers["check"] = run("check", history, *more)
    answers["diff"] = run("diff", history, "--from", "2020-05-01", "--to", as_of, *more)
    for participant in in_view(history, *view):
        answers[f"trace {participant}"] = run("trace", history, *view, "--", participant)
    return answers


def in_view(history: str, *view: str) -> list[str]:
    """The participants that have a statement."""
    result = CliRunner().invoke(cli, ("statement", history, "--json", *view))
    return [json.loads(line)["participant"] for line in result.stdout.split("\n") if line]


CASES = [
    ("documented.jsonl", "2020-07-02"),
    ("documented.jsonl", "2020-12-31"),
    ("documented.jsonl", "2021-04-15"),
    ("mixed.jsonl", "2020-10-01"),
    ("mixed.jsonl", "2021-02-01"),
]


@pytest.mark.parametrize(("name", "as_of"), CASES)
def test_nothing_of_the_cases_is_left_in_english(shared, name, as_of):
    said = everything_said(str(shared / "cases" / name), as_of, "--lang", "id")
    left = {command: found for command, text in said.items() if (found := untranslated(text))}
    assert left == {}


def test_the_search_finds_english_where_it_is(shared):
    """The test above can fail: in the English answers, nearly every kind of message is found."""
    said = everything_said(str(shared / "cases" / "mixed.jsonl"), "2021-02-01", "--lang", "en")
    for command, text in said.items():
        assert len(untranslated(text)) > 2, command


@pytest.mark.parametrize("seed", [0, 9, 15])
def test_nothing_of_a_random_history_is_left_in_english(tmp_path, seed):
    history = tmp_path / "world.jsonl"
    history.write_bytes(b"\n".join(worlds.history(seed, participants=4, events=150)))
    said = everything_said(str(history), "2021-03-01", "--lang", "id")
    left = {command: found for command, text in said.items() if (found := untranslated(text))}
    assert left == {}


def test_a_history_of_every_kind_is_traced_in_both_languages(tmp_path):
    history = tmp_path / "everything.jsonl"
    history.write_bytes(b"\n".join(as_lines(EVERYTHING)))
    arguments = ("trace", str(history), "P-1", "--as-of", "2020-06-30")
    english, indonesian = (run(*arguments, "--lang", language) for language in ("en", "id"))
    assert english.count("\n") == indonesian.count("\n")
    assert not untranslated(indonesian)
    assert "Hak peserta Rp" in indonesian and "Owed Rp" in english


@BOTH
def test_an_error_is_said_in_the_language(tmp_path, language):
    """A participant who is not there, and a quarantined line, in the language that is asked for."""
    history = tmp_path / "one.jsonl"
    history.write_bytes(
        b"\n".join(as_lines([*enrolled(), *told("x", "P-1", "2020-05-01", {}, id="x")]))
    )
    said = run("statement", str(history), "NOBODY", "--as-of", "2020-07-02", "--lang", language)
    checked = run("check", str(history), "--lang", language)
    if language == "id":
        assert "peserta NOBODY tidak terlihat" in said
        assert "UNKNOWN_TYPE: jenis 'prakerja.x.v1' tidak ada dalam format riwayat 1" in checked
    else:
        assert "participant NOBODY is not in view" in said
        assert "UNKNOWN_TYPE: type 'prakerja.x.v1' is not one of history format 1" in checked
