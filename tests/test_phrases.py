"""An error is whole in one language, with all that it quotes: no half English, half Indonesian sentence."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_ledger.domain.errors import InvalidEvidence, InvalidField, Refusal, Refused
from prakerja_ledger.domain.phrases import Phrase, as_json, from_json, phrase_of, text_of
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence.json_line import NotJson, load_object
from prakerja_ledger.evidence.wire import read_event
from prakerja_ledger.interfaces.cli.words import Words, of_system
from prakerja_ledger.ledger.bookmark import Bookmark, LinesRead, quarantined
from tests.cli_support import run
from tests.support import as_lines, enrolled, linked
from tests.test_language import MESSAGES, catalogue, untranslated

ENGLISH, INDONESIAN = Words("en"), Words("id")

# --- phrases -------------------------------------------------------------------------------------------

PLAIN = [one for one in MESSAGES if all(name.isidentifier() for name in catalogue.fields_of(one))]
"""Messages whose fields are filled in as they are."""


def phrases_with(fields):
    """Messages of the catalogue, their fields filled from a strategy."""
    return st.sampled_from(PLAIN).flatmap(
        lambda message: st.fixed_dictionaries(
            {name: fields for name in catalogue.fields_of(message)}
        ).map(lambda given: Phrase(message, **given))
    )


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
PHRASES = st.recursive(phrases_with(NAMES), phrases_with, max_leaves=4)


def in_indonesian(said):
    """What a phrase should say, by the catalogue alone."""
    if not isinstance(said, Phrase):
        return str(said)
    translated = INDONESIAN._catalogue.gettext(said.template)
    return translated.format(**{name: in_indonesian(one) for name, one in said.fields.items()})


@given(PHRASES)
def test_a_phrase_is_said_whole_however_deep_it_quotes(said):
    assert INDONESIAN.phrase(said) == in_indonesian(said)
    assert ENGLISH.phrase(said) == said == str(said)


@given(PHRASES)
def test_an_error_that_quotes_is_said_whole(said):
    error = InvalidEvidence(kind=said, problem=said)
    quoted = in_indonesian(said)
    assert INDONESIAN.error(error) == (
        f"{quoted} tidak sah: {quoted} Mintalah salinan lain kepada pemberinya."
    )
    assert str(error) == f"the {said} is not valid: {said} Ask whoever gave it to you for another copy."


@given(PHRASES)
def test_a_phrase_goes_between_processes_and_into_json_as_what_it_is(said):
    for again in (
        pickle.loads(pickle.dumps(said)),
        copy.deepcopy(said),
        from_json(as_json(said)),
        pickle.loads(pickle.dumps(InvalidEvidence(kind="x", problem=said))).fields["problem"],
    ):
        assert type(again) is Phrase
        assert (again, again.template, again.fields) == (said, said.template, said.fields)


def test_a_phrase_is_text_for_whoever_wants_text():
    said = Phrase("one of {words}", words="a, b")
    assert said == "one of a, b"
    assert {said: 1}["one of a, b"] == 1
    assert type(str(said)) is str
    assert as_json("a, b") == from_json("a, b") == "a, b"


def test_what_comes_from_elsewhere_stays_as_it_is_and_is_made_safe():
    error = InvalidEvidence(kind=Phrase("proof"), problem=Phrase("{error}.", error="disk I/O\x1b error"))
    assert INDONESIAN.error(error).startswith("bukti tidak sah: disk I/O\\u001b error. ")


def test_what_another_error_said_is_quoted_as_a_phrase():
    with pytest.raises(NotJson) as caught:
        load_object(b"[]")
    assert phrase_of(caught.value).template == caught.value.template
    assert text_of(caught.value) == str(caught.value)
    assert type(text_of(caught.value)) is Phrase
    assert text_of(OSError("told by the system")) == "told by the system"


def test_a_refusal_in_an_error_is_said_whole():
    """As Refused has it, and also where an error quotes Refused."""
    expected = Phrase("true or false")
    refusal = Refusal(code="X", template="{expected}", fields={"expected": expected})
    quoting = InvalidEvidence(kind=Phrase("receipt"), problem=phrase_of(Refused(refusal=refusal)))
    assert INDONESIAN.error(Refused(refusal=refusal)) == "true atau false"
    assert "true atau false" in INDONESIAN.error(quoting)


@pytest.mark.parametrize(
    "code",
    [
        'InvalidField(field="x", found="null", expected=one_of(words))',
        'UnreadableSource(source=url, problem=f"there is no {x}")',
        'UnreadableSource(source=url, problem="it is " + x)',
        'UnreadableSource(source=url, problem="this" if x else Phrase("that"))',
        'InvalidEvidence(kind="proof", problem=problem)',
        'raise click.UsageError("say which")',
        'self.fail(f"{x} is none")',
        'BadRows("a position stands there twice")',
        "Phrase(x)",
        'Phrase(f"one {x}")',
    ],
)
def test_a_text_that_would_stay_english_is_found_in_the_source(code):
    with pytest.raises(catalogue.NotAMessage, match=r"x\.py:1"):
        list(catalogue.messages_of(code, "x.py"))


@pytest.mark.parametrize(
    "code", ["f(problem=error.msg)", "f(found=shown(x))", 'f(kind="x")', 'pytest.fail(f"{x}")', "f(problem=1)"]
)
def test_what_is_no_text_of_ours_is_let_alone(code):
    assert list(catalogue.messages_of(code, "x.py")) == []


# --- quarantined lines ---------------------------------------------------------------------------------

(LINKED,) = as_lines(linked())
LINES = [
    LINKED.replace(b'"provider": "ovo"', b'"provider": "ovo", "more": 1'),
    LINKED.replace(b'"provider": "ovo"', b'"provider": "x"'),
    LINKED.replace(b'"provider": "ovo",', b""),
    LINKED.replace(b'"provider": "ovo"', b'"provider": null'),
    as_lines(enrolled())[0].replace(b"semi-bansos-2020", b"no-such-scheme"),
    b"[]",
    b"{",
]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "Expecting property name enclosed in double quotes"),
        (b'{"a" 1}', "Expecting ':' delimiter"),
        (b'{"a":1 "b":2}', "Expecting ',' delimiter"),
        (b'{"a":}', "Expecting value"),
        (b'{"a":"b', "Unterminated string starting at"),
        (b'{"a":"\t"}', "Invalid control character at"),
        (rb'{"a":"\x"}', r"Invalid \escape"),
        (rb'{"a":"\u00g0"}', r"Invalid \uXXXX escape"),
        (b"{} {}", "Extra data"),
    ],
)
def test_what_python_says_of_json_is_said_too(line, said):
    """Its texts are few, and the most frequent of all that is quoted from elsewhere."""
    with pytest.raises(NotJson) as caught:
        load_object(line)
    problem = caught.value.fields["problem"]
    assert problem.startswith(said)
    assert INDONESIAN.text(problem) != problem


@pytest.mark.parametrize(
    ("spoilt", "said", "in_indonesian"),
    [
        ({"id": 1}, "Expected `str`, got `int` - at `$.id`", "di `$.id` seharusnya `str`, bukan `int`"),
        ({"id": ""}, "Expected `str` of length >= 1 - at `$.id`", "di `$.id` panjang `str` seharusnya >= 1"),
        ({"id": "x" * 201}, "Expected `str` of length <= 200 - at `$.id`", "di `$.id` panjang `str` seharusnya <= 200"),
        ({"specversion": "2"}, "Invalid enum value '2' - at `$.specversion`", "nilai '2' di `$.specversion` tidak sah"),
        ({"data": []}, "Expected `object`, got `array` - at `$.data`", "di `$.data` seharusnya `object`, bukan `array`"),
    ],
)
def test_what_the_decoder_says_of_an_envelope_is_said_too(spoilt, said, in_indonesian):
    refusal = read_event(json.dumps({**json.loads(LINKED), **spoilt}).encode(), 1, KARTU_PRAKERJA)
    assert refusal.fields["problem"] == said
    assert INDONESIAN.refusal(refusal).startswith(f"atribut peristiwa salah: {in_indonesian}. ")


@pytest.mark.parametrize("line", LINES)
def test_a_refusal_reads_the_same_after_the_import_was_resumed(line):
    """What an import keeps of the lines that it has passed over is JSON in the ledger."""
    refusal = read_event(line, 1, KARTU_PRAKERJA)
    assert isinstance(refusal, Refusal)
    kept = Bookmark("history.jsonl", LinesRead()).pass_over([(1, line, refusal)])
    ((number, again),) = quarantined(kept)
    assert (number, str(again)) == (1, str(refusal))
    assert INDONESIAN.refusal(again) == INDONESIAN.refusal(refusal)


# --- whatever goes wrong at the command line -----------------------------------------------------------

STRAY = re.compile(
    r"\b(?:the|is|are|was|it|its|of|not|no|there|with|and|or|which|that|this|from|an|be|has|have|been|"
    r"make|give|say|write|use|expected|nothing|another|cannot|must|needs?|first)\b",
    re.IGNORECASE,
)
"""Words of which an English sentence has one at least."""


def said_wrong(*arguments, stdin: bytes = b"", **variables: str) -> str:
    """What a command said went wrong: without click's own frame, which is English."""
    answer = run(*arguments, stdin=stdin, **variables)
    assert answer.status in (1, 2, 3, 4), answer
    lines = [line for line in (answer.err or answer.text).splitlines() if not line.startswith(("Usage: ", "Try "))]
    said = "\n".join(line.removeprefix("Error: ") for line in lines)
    assert said.strip(), answer
    return said


def only_indonesian(said: str, folder: Path) -> None:
    """No English sentence, and no English word but in what is quoted: names, options, URLs, addresses."""
    assert untranslated(said) == set()
    quoted = re.compile(
        rf"{re.escape(str(folder))}\S*|\S+://\S*|--[\w-]+|'[^']*'|`[^`]*`|\([^()]*\)|memory|no-such-\w+"
    )
    assert STRAY.findall(quoted.sub("", said)) == [], said


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with one of everything, and everything that is wrong."""
    folder = tmp_path_factory.mktemp("place")
    history = folder / "history.jsonl"
    history.write_bytes(b"\n".join(as_lines([*enrolled(), *linked()])))
    (folder / "bad.jsonl").write_bytes(b"\n".join(LINES))
    with gzip.open(folder / "whole.jsonl.gz", "wb") as file:
        file.write(history.read_bytes())
    (folder / "cut.jsonl.gz").write_bytes((folder / "whole.jsonl.gz").read_bytes()[:-9])
    (folder / "bad.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    (folder / "short.parquet").write_bytes(b"PAR1")
    (folder / "holidays.csv").write_text("date,name\n2099-01-01,X\n")
    (folder / "days.csv").write_text("date,name\nx,X\n")
    (folder / "empty.db").touch()
    with closing(sqlite3.connect(folder / "other.db")) as other:
        other.execute("CREATE TABLE t (x)")
    url = f"sqlite:///{folder}/ledger.db"
    assert run("import", history, "--ledger", url).status == 0
    for name, *options in (("seal", ), ("stranger", ), ("witness", "--witness")):
        made = run("keygen", "--name", f"{name}.example", "--output", folder / f"{name}.key", *options)
        (folder / f"{name}.pub").write_bytes(made.out)
    (folder / "open.key").write_bytes((folder / "seal.key").read_bytes())
    (folder / "open.key").chmod(0o644)
    (folder / "bytes.key").write_bytes(b"\xff")
    (folder / "bytes.key").chmod(0o600)
    (folder / "text.key").write_text("x")
    (folder / "text.key").chmod(0o600)
    key = ("--key", folder / "seal.key")
    assert run("seal", url, *key, "--output", folder / "note").status == 0
    assert run("prove", url, "--checkpoint", folder / "note", "--participant", "P-1", "--output", folder / "proof").status == 0
    view = ("--as-of", "2020-07-02")
    assert run("receipt", url, "P-1", "--checkpoint", folder / "note", *view, "--output", folder / "r.html").status == 0
    assert run("pack", url, *key, *view, "--output", folder / "pack.zip").status == 0
    for name, cut in (("note", 40), ("proof", 40), ("r.json", 40), ("pack.zip", 40)):
        data = (folder / name).read_bytes()
        (folder / f"cut.{name}").write_bytes(data[:-cut])
        (folder / f"changed.{name}").write_bytes(data.replace(b"2020", b"2021", 1).replace(b"seal.example", b"sail.example", 1))
    vault = ("--vault", f"sqlite:///{folder}/vault.db", "--keys", folder / "keys")
    assert run("vault", "init", *vault, "--by", "siti", "--purpose", "x").status == 0
    (folder / "open-keys").mkdir(mode=0o755)
    (folder / "open-vault.db").write_bytes((folder / "vault.db").read_bytes())
    (folder / "open-vault.db").chmod(0o644)
    return folder


URL = "sqlite:///{f}/ledger.db"
SEAL = ("seal", URL, "--key", "{f}/seal.key", "--output")
VERIFY = ("verify", URL, "--verifier", "{f}/seal.pub", "--checkpoint")
PROVE = ("prove", URL, "--checkpoint", "{f}/note", "--output", "{f}/new")
KEYS = ("--vault", "sqlite:///{f}/vault.db", "--keys", "{f}/keys")
WHO = ("--by", "siti", "--purpose", "tiket 7")
NOBODY = "p-" + "0" * 32
WRONG = [
    # sources
    ("check", "{f}/none.jsonl"),
    ("check", "{f}"),
    ("check", URL),
    ("check", "{f}/bad.jsonl"),
    ("audit", "{f}/cut.jsonl.gz"),
    ("audit", "{f}/bad.parquet"),
    ("audit", "{f}/short.parquet"),
    ("audit", "{f}/cut.pack.zip"),
    ("audit", "{f}/history.jsonl", "--engine", "spark"),
    ("audit", "sqlite:///{f}/none.db"),
    ("audit", "sqlite:///{f}/empty.db"),
    ("audit", "sqlite:///{f}/other.db"),
    ("audit", "sqlite:///:memory:"),
    ("audit", "sqlite://x"),
    ("audit", "memory://none"),
    ("audit", "memory:x"),
    ("audit", "postgresql://h/d?shards=0"),
    ("audit", "postgresql://h/d?schema=A-B"),
    ("audit", "postgresql://a@b@c/d"),
    ("audit", "postgresql://h/d?nonsense=1"),
    ("import", "{f}/history.jsonl", "--ledger", "sqlite:///{f}/none/ledger.db"),
    ("import", "{f}/history.jsonl", "--ledger", "mysql://h/d"),
    ("import", "{f}/history.jsonl", "--ledger", "sqlite:///{f}/new.db", "--quarantine", "{f}/none/q"),
    ("import", "{f}/history.jsonl", "--ledger", "sqlite:///{f}/new.db", "--quarantine", "{f}/history.jsonl"),
    # usage
    ("statement", URL, "P-1", "--as-of", "x"),
    ("statement", URL, "P-1", "--known-at", "x"),
    ("diff", URL, "--from", "x", "--to", "2020-07-02"),
    ("totals", URL, "--by", "wave", "--json", "--csv"),
    ("totals", URL, "--by", "wave", "--memory-limit", "x"),
    ("totals", URL, "--by", "wave", "--holidays", "{f}/holidays.csv"),
    ("totals", URL, "--by", "wave", "--holidays", "{f}/days.csv"),
    ("trace", URL, "P-1", "--line", "survey/9", "--as-of", "2020-07-02"),
    ("trace", URL, "NOBODY"),
    ("export", URL, "--format", "parquet"),
    ("export", URL, "--as-of", "2020-01-01"),
    ("export", URL, "--format", "hledger", "--every-line"),
    ("projection", "run", "memory://x"),
    ("projection", "run", URL, "--into", "file:x"),
    ("projection", "status", URL, "--into", "sqlite:///{f}/none/rows.db"),
    ("schema",),
    ("schema", "--sql", "file:x"),
    ("simulate", "--output", "{f}/new"),
    ("simulate", "--output", "{f}/none/new", "--participants", "1"),
    ("simulate", "--output", "{f}", "--participants", "1"),
    ("simulate", "--output", "-", "--format", "parquet", "--participants", "1"),
    ("simulate", "--output", "{f}/new", "--participants", "9999", "--scale", "0.0001"),
    ("simulate", "--output", "{f}/new", "--scale", "x"),
    ("forget",),
    # seals
    ("keygen", "--name", "a b", "--output", "{f}/new"),
    ("keygen", "--name", "a", "--output", "{f}/note"),
    ("keygen", "--name", "a", "--output", "{f}/none/new"),
    ("keygen", "--name", "a", "--output", "{f}"),
    (*SEAL, "{f}/note"),
    (*SEAL, "{f}/new", "--after", "{f}/cut.note"),
    *(("seal", URL, "--key", f"{{f}}/{key}.key", "--output", "{f}/new") for key in ("open", "bytes", "text", "witness", "none")),
    ("seal", "{f}/none.jsonl", "--key", "{f}/seal.key", "--output", "{f}/new"),
    ("cosign", "{f}/note", "--key", "{f}/seal.key", "--verifier", "{f}/seal.pub", "--output", "{f}/new"),
    ("cosign", "{f}/note", "--key", "{f}/witness.key", "--verifier", "{f}/stranger.pub", "--output", "{f}/new"),
    ("cosign", "{f}/cut.note", "--key", "{f}/witness.key", "--verifier", "{f}/seal.pub", "--output", "{f}/new"),
    ("verify", URL, "--verifier", "{f}/seal.pub"),
    ("verify", URL, "--verifier", "a+b+c", "--checkpoint", "{f}/note"),
    ("verify", URL, "--verifier", "{f}/stranger.pub", "--checkpoint", "{f}/note"),
    *((*VERIFY, f"{{f}}/{name}") for name in ("cut.note", "changed.note", "history.jsonl", "pack.zip", "none", "bytes.key")),
    *(
        ("verify", f"{{f}}/{how}.{what}", "--verifier", "{f}/seal.pub")
        for how in ("cut", "changed")
        for what in ("proof", "r.json", "pack.zip")
    ),
    *(("verify", f"{{f}}/{what}", "--verifier", "{f}/stranger.pub") for what in ("proof", "r.json", "pack.zip")),
    PROVE,
    (*PROVE, "--participant", "NOBODY"),
    (*PROVE, "--earlier", "{f}/cut.note"),
    ("prove", "{f}/bad.jsonl", *PROVE[2:], "--participant", "P-1"),
    ("receipt", URL, "P-1", "--checkpoint", "{f}/note", "--output", "{f}/new.json"),
    ("receipt", URL, "P-1", "--checkpoint", "{f}/cut.note", "--output", "{f}/new.html"),
    ("pack", URL, "--key", "{f}/witness.key", "--output", "{f}/new"),
    # the vault
    ("vault", "init", *KEYS, *WHO),
    ("vault", "show", NOBODY, *KEYS, "--reveal"),
    ("vault", "show", NOBODY, *KEYS[:2], "--reveal", *WHO),
    ("vault", "add", "-", *KEYS[:2], *WHO),
    ("vault", "add", "{f}/none", *KEYS, *WHO, "STDIN", ""),
    ("vault", "add", "-", *KEYS[:2], "--keys", "{f}/none", *WHO),
    ("vault", "add", "-", *KEYS[:2], "--keys", "{f}/open-keys", *WHO),
    ("vault", "add", "-", *KEYS[:3], "{f}/keys", "--by", "siti", "--purpose", "0812-3456-7890"),
    ("vault", "add", "-", "--vault", "sqlite:///{f}/none.db", *KEYS[2:], *WHO),
    ("vault", "add", "-", "--vault", "sqlite:///{f}/open-vault.db", *KEYS[2:], *WHO),
    ("vault", "add", "-", "--vault", "file:x", *KEYS[2:], *WHO),
    ("vault", "add", "-", *KEYS, *WHO, "STDIN", '{"nik":"12","name":"X"}\n{"nik":"3171010101900001"}\n{"x":1}\n[]'),
    ("vault", "add", "-", *KEYS, *WHO, "STDIN", "x,y\n1,2"),
    ("vault", "forget", NOBODY, *KEYS, *WHO),
    ("vault", "forget", "x", *KEYS, *WHO),
    ("vault", "access-log", *KEYS, "--head", "x"),
    ("vault", "access-log", *KEYS, "--head", "1:" + "z" * 64),
    ("vault", "access-log", *KEYS, "--head", "9:" + "0" * 64),
]  # fmt: skip
DRIVERS = ("unable to open", "invalid", "Errno", "No such file", "not a database")
"""What is quoted of a database, the operating system or libpq, which speak English."""


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_nothing_that_goes_wrong_is_said_half_in_english(place, arguments):
    given, stdin = list(arguments), ""
    if "STDIN" in given:
        at = given.index("STDIN")
        stdin = given[at + 1]
        del given[at : at + 2]
    given = [str(one).format(f=place) for one in given]
    language = ("--lang", "id") if given != ["forget"] else ()
    said = said_wrong(*given, *language, stdin=stdin.encode(), LC_ALL="id_ID.UTF-8")
    english = said_wrong(*given, stdin=stdin.encode())
    assert said != english
    if not any(one in said for one in DRIVERS):
        only_indonesian(said, place)


def test_the_search_for_english_finds_it(place):
    """The test above can fail: in what is said in English, it finds English."""
    said = said_wrong("check", place / "none.jsonl")
    with pytest.raises(AssertionError):
        only_indonesian(said, place)


def test_numbers_that_a_text_groups_are_grouped_as_the_language_does():
    said = Phrase("{name} is longer than {longest:,} bytes.", name="a", longest=1_048_576)
    assert said == ENGLISH.phrase(said) == "a is longer than 1,048,576 bytes."
    assert INDONESIAN.phrase(said) == "a lebih panjang dari 1.048.576 bita."
    assert INDONESIAN.phrase(Phrase("line {number}", number=1234)) == "baris 1234"


def test_what_the_operating_system_says_of_a_file_is_said_too(place):
    """What it says otherwise stays as it is."""
    answer = run("verify", place / "history.jsonl", "--verifier", place / "none", "--lang", "id")
    assert answer.err == f"prakerja-ledger: {place}/none tidak dapat dibaca: berkas atau folder itu tidak ada.\n"
    assert of_system(OSError(5, "Input/output error")) == "Input/output error"
    assert of_system(OSError("no number")) == "no number"


def test_a_usage_error_in_english_is_what_click_makes_of_it(place):
    answer = run("statement", f"sqlite:///{place}/ledger.db", "--as-of", "x", "--lang", "en")
    assert "Error: Invalid value for '--as-of': 'x' is not a date. Write it as YYYY-MM-DD" in answer.err


def test_a_field_of_a_command_is_said_whole():
    error = InvalidField(field="courses", found="[]", expected=Phrase("a list of {{course, institution}} with distinct courses, at least one"))
    assert INDONESIAN.error(error) == (
        "isian courses: []; seharusnya daftar {course, institution} dengan pelatihan yang berbeda-beda, "
        "sedikitnya satu. Perbaiki, lalu kirim lagi peristiwa itu."
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_phrase_and_what_is_no_json_come_through_every_protocol_of_pickle(protocol: int):
    """What a line says stands in the text, and must not be taken for places to be filled in."""
    with pytest.raises(NotJson) as refused:
        load_object(b'{"{x}":1,"{x}":2}')
    for error in (copy.deepcopy(refused.value), pickle.loads(pickle.dumps(refused.value, protocol))):
        assert (str(error), error.template, error.fields) == (
            str(refused.value), refused.value.template, refused.value.fields,
        )  # fmt: skip
    said = Phrase("{one} of {other}", one=Phrase("a text"), other="{}")
    again = pickle.loads(pickle.dumps(said, protocol))
    assert (again, again.template, again.fields) == (said, said.template, said.fields)
    assert type(again.fields["one"]) is Phrase
