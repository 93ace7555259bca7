"""One line of a history as strict JSON and as an event: what is taken, what is refused, and as what."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.cli_support import run
from tests.ledger_support import (
    VECTORS,
    as_bytes,
    code_of,
    codes_of,
    enrolment,
    envelope,
    padded_to,
    purchase,
)
from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence import wire
from prakerja_ledger.evidence.json_line import NotJson, load_object
from prakerja_ledger.evidence.wire import read_event

SUITE = VECTORS / "json-test-suite" / "test_parsing"
SUITE_FILES = sorted(SUITE.glob("*.json"))
ON_PURPOSE = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
"""Accepted by the suite; refused here, as which of two keys is meant cannot be known."""
PATIENCE_SECONDS = 120
"""A hang's end, no measure: a linear reading of a megabyte takes a moment, a quadratic one hours."""

needs_suite = pytest.mark.skipif(
    not SUITE_FILES, reason=f"{SUITE} is missing: nothing was compared with JSONTestSuite"
)


def kept(raw: bytes) -> bytes:
    """A valid enrolment that keeps an attribute x1 with this value, spelt as it is."""
    return as_bytes(enrolment(x1="@")).replace(b'"@"', raw)


def in_data(raw: bytes) -> bytes:
    """An enrolment whose data have a field more, with this value, spelt as it is."""
    return as_bytes(enrolment()).replace(b'"data":{', b'"data":{"x":' + raw + b",")


# --- the public suite ---------------------------------------------------------------------------


@needs_suite
def test_the_whole_suite_is_there():
    assert len(SUITE_FILES) == 318


@needs_suite
@pytest.mark.parametrize("file", SUITE_FILES, ids=lambda file: file.name)
def test_a_file_of_the_suite_is_no_event_and_no_crash(file: Path):
    code = code_of(file.read_bytes())

    allowed = {"n": ("NOT_JSON",), "y": ("NOT_JSON", "NOT_CLOUDEVENT")}
    assert code in allowed.get(file.name[0], ("NOT_JSON", "NOT_CLOUDEVENT"))


@needs_suite
@pytest.mark.parametrize("file", SUITE_FILES, ids=lambda file: file.name)
def test_loading_a_file_of_the_suite_gives_an_object_or_says_why_not(file: Path):
    try:
        found = load_object(file.read_bytes())
    except NotJson as error:
        assert len(str(error)) > 20
    else:
        assert isinstance(found, dict)
        assert file.name[0] in "yi"


@needs_suite
@pytest.mark.parametrize("file", SUITE_FILES, ids=lambda file: file.name)
def test_a_value_of_the_suite_in_a_kept_attribute(file: Path):
    """What JSON allows is kept; what it forbids makes the whole line no JSON."""
    code = code_of(kept(file.read_bytes()))

    if file.name.startswith("n_") or file.name in ON_PURPOSE:
        assert code == "NOT_JSON"
    elif file.name.startswith("y_"):
        assert code == "ACCEPTED"
    else:
        assert code in ("ACCEPTED", "NOT_JSON")


# --- strictness ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"again",' + as_bytes(enrolment())[1:],
        as_bytes(enrolment())[:-1] + b',"specversion":"1.0"}',
        as_bytes(enrolment())[:-1] + b',"\\u0069d":"e1"}',
        as_bytes(enrolment())[:-1] + b',"data":{}}',
        as_bytes(enrolment(traceparent="1"))[:-1] + b',"traceparent":"1"}',
        as_bytes(enrolment()).replace(b'"wave":2', b'"wave":2,"wave":2'),
        as_bytes(enrolment()).replace(b'"wave":2', b'"wave":2,"w\\u0061ve":2'),
        as_bytes(purchase()).replace(b'"course":"C-1"', b'"course":"C-1","course":"C-1"'),
        kept(b'{"a":1,"a":1}'),
        kept(b'[{"b":[{"a":1,"\\u0061":2}]}]'),
        kept(b'{"":1,"":1}'),
    ],
)
def test_a_key_that_stands_twice_is_refused_at_every_level(line: bytes):
    assert code_of(line) == "NOT_JSON"


def test_a_key_may_stand_again_in_another_object():
    assert code_of(kept(b'[{"a":1},{"a":{"a":1}}]')) == "ACCEPTED"


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e309", "1" + "0" * 309, "9" * 400]
    + ["01", "+1", ".5", "1.", "0x1", "1_000", "-", "--1", "1e", "١"],
)
@pytest.mark.parametrize("place", [kept, in_data], ids=["kept", "data"])
def test_what_is_no_number_or_none_that_a_double_holds_is_refused(number: str, place: Any):
    assert code_of(place(number.encode())) == "NOT_JSON"


@pytest.mark.parametrize(
    "number", ["1e308", "-1e308", "1e-400", "-0", "-0.0", "1" + "0" * 308, "0." + "3" * 5_000]
)
def test_a_number_that_a_double_holds_is_kept(number: str):
    assert code_of(kept(number.encode())) == "ACCEPTED"


@pytest.mark.parametrize("escape", [r"\ud800", r"\udc00", r"a\udfffb", r"\ud800\ud800", r"\uD83D"])
@pytest.mark.parametrize("name", ["id", "subject", "type", "source", "x1"])
def test_half_of_a_surrogate_pair_is_refused_wherever_it_stands(escape: str, name: str):
    line = as_bytes(enrolment() | {name: "@"}).replace(b'"@"', f'"{escape}"'.encode())

    assert code_of(line) == "NOT_JSON"


def test_half_of_a_surrogate_pair_is_refused_in_a_key_and_in_data():
    assert code_of(kept(rb'{"\ud800":1}')) == "NOT_JSON"
    assert code_of(in_data(rb'"\ud800"')) == "NOT_JSON"


def test_a_whole_surrogate_pair_is_one_character():
    assert code_of(kept(rb'"\ud83d\ude00"')) == "ACCEPTED"


@pytest.mark.parametrize(
    "raw",
    [b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b'"\x80"'],
)
@pytest.mark.parametrize("place", [kept, in_data], ids=["kept", "data"])
def test_bytes_that_are_not_utf_8_are_refused(raw: bytes, place: Any):
    assert code_of(place(raw)) == "NOT_JSON"


@pytest.mark.parametrize("raw", [b'"a\tb"', b'"a\x00b"', b'"a\nb"', b'"\x1f"'])
@pytest.mark.parametrize("place", [kept, in_data], ids=["kept", "data"])
def test_a_bare_control_character_in_a_string_is_refused(raw: bytes, place: Any):
    assert code_of(place(raw)) == "NOT_JSON"


def test_a_byte_order_mark_is_refused():
    assert code_of(b"\xef\xbb\xbf" + as_bytes(enrolment())) == "NOT_JSON"


def test_a_byte_order_mark_inside_a_string_is_data():
    assert code_of(as_bytes(enrolment("\ufeff"))) == "ACCEPTED"


@pytest.mark.parametrize(
    "line",
    [b"", b" ", b"null", b"[]", b"1", b'"x"', b"{}{}", b"{},", b"{} x", b"{}\x00", b"\x0c{}"]
    + [b"\xc2\xa0{}", b"[{}]", b"'{}'", b"{a:1}", b'{"a":1,}', b"{//\n}", b"\x1e{}"],
)
def test_what_is_not_one_json_object_is_refused(line: bytes):
    assert code_of(line) == "NOT_JSON"


# --- depth, length and time ----------------------------------------------------------------------


@pytest.mark.parametrize("opening", ["[", '{"a":'], ids=["lists", "objects"])
@pytest.mark.parametrize(("levels", "code"), [(64, "ACCEPTED"), (65, "NOT_JSON")])
def test_64_levels_are_taken_and_65_refused_in_a_kept_attribute(
    opening: str, levels: int, code: str
):
    """The event object is level 1, so the attribute's value has one less."""
    inner = levels - 1
    closing = "]" if opening == "[" else "}"
    filling = "" if opening == "[" else "1"
    assert code_of(kept((opening * inner + filling + closing * inner).encode())) == code


@pytest.mark.parametrize(("levels", "code"), [(64, "INVALID_DATA"), (65, "NOT_JSON")])
def test_64_levels_in_data_are_json_and_65_are_not(levels: int, code: str):
    inner = levels - 2  # the event, its data, and then the field
    assert code_of(in_data(b"[" * inner + b"]" * inner)) == code


def test_brackets_in_strings_nest_nothing():
    assert code_of(kept(b'"' + b"[{" * 500 + b'\\"' + b"[" * 500 + b'"')) == "ACCEPTED"


def test_brackets_side_by_side_nest_nothing():
    assert code_of(kept(b"[" + b"[]," * 500 + b"{}]")) == "ACCEPTED"


def test_a_line_of_1_048_576_bytes_is_taken():
    line = padded_to(1_048_576, enrolment())

    assert (len(line), code_of(line)) == (1_048_576, "ACCEPTED")


def test_a_line_of_one_byte_more_is_refused():
    assert code_of(padded_to(1_048_577, enrolment())) == "NOT_JSON"


def test_the_longest_line_is_measured_in_bytes_not_characters():
    line = as_bytes(enrolment(x1="é" * 600_000))

    assert (len(line.decode()) < 1_048_576 < len(line), code_of(line)) == (True, "NOT_JSON")


MEGABYTE = 1_048_576 - 400


@pytest.mark.parametrize(
    "raw",
    [
        b"9" * 100_000,
        b"-" + b"9" * MEGABYTE,
        b"0." + b"9" * MEGABYTE,
        b"1e" + b"9" * MEGABYTE,
        b"[" * MEGABYTE,
        b'{"a":' * (MEGABYTE // 5),
        b"]" * MEGABYTE,
        b'"\\"' + b'\\"' * (MEGABYTE // 2),
        b"[" * 70 + b'"' + b'\\"' * (MEGABYTE // 2),
        b"[" * 70 + b'"\\"\\' * (MEGABYTE // 4),
        b'"' + b"\\u0041" * (MEGABYTE // 6) + b'"',
        b'"' + b"\\" * MEGABYTE,
        b" " * MEGABYTE,
        b"[" + b"1," * (MEGABYTE // 2) + b"1]",
        b"[" + b"{}," * (MEGABYTE // 3) + b"1]",
        b"{" + b",".join(b'"%d":1' % n for n in range(MEGABYTE // 12)) + b"}",
        b'"' + b"\xff" * MEGABYTE + b'"',
    ],
    ids=[
        "digits", "minus", "fraction", "exponent", "lists", "objects", "closing", "quotes",
        "open string after brackets", "strings after brackets", "escapes", "backslashes", "space",
        "numbers", "empty objects", "keys", "no UTF-8",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [kept, in_data, lambda raw: raw], ids=["kept", "data", "bare"])
def test_a_hostile_megabyte_is_judged_quickly(raw: bytes, place: Any):
    line = place(raw)
    judging = threading.Thread(target=code_of, args=(line,), daemon=True)
    judging.start()
    judging.join(PATIENCE_SECONDS)

    assert not judging.is_alive()


# --- codes in their order ------------------------------------------------------------------------

REFUSALS = (
    "NOT_JSON", "NOT_CLOUDEVENT", "UNKNOWN_TYPE", "INVALID_DATA", "CONFLICTING_DUPLICATE",
    "NOT_ENROLLED", "ALREADY_ENROLLED", "UNKNOWN_REFERENCE", "ILLEGAL_MOVE",
)  # fmt: skip
BEFORE = (as_bytes(enrolment("P-1", "e1")), as_bytes(purchase("P-1", "b1")))

CERTIFICATE = {"course": "C-1", "certificate": "SA-1"}
LATER_FAULTS: dict[str, dict[str, Any]] = {
    "CONFLICTING_DUPLICATE": envelope("certificate-issued", "P-1", "e1", CERTIFICATE),
    "NOT_ENROLLED": envelope("certificate-issued", "P-9", "n", CERTIFICATE),
    "ALREADY_ENROLLED": enrolment("P-1", "n"),
    "UNKNOWN_REFERENCE": envelope("certificate-issued", "P-1", "n", CERTIFICATE | {"course": "?"}),
    "ILLEGAL_MOVE": purchase("P-1", "n"),
}


def not_json(line: bytes) -> bytes:
    return line[:-1] + b',"x8":1,"x8":1}'


def not_cloudevent(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "foo": 1}


def unknown_type(given: dict[str, Any]) -> dict[str, Any]:
    return given | {"type": given["type"] + "x"}


def invalid_data(given: dict[str, Any]) -> dict[str, Any]:
    return given | {"data": given["data"] | {"foo": 1}}


@pytest.mark.parametrize("code", LATER_FAULTS)
def test_each_of_the_later_faults_alone_has_its_code(code: str):
    assert codes_of(*BEFORE, as_bytes(LATER_FAULTS[code])) == ["RECORDED", "RECORDED", code]


@pytest.mark.parametrize("later", LATER_FAULTS)
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (invalid_data, "INVALID_DATA"),
        (unknown_type, "UNKNOWN_TYPE"),
        (not_cloudevent, "NOT_CLOUDEVENT"),
        (lambda given: unknown_type(invalid_data(given)), "UNKNOWN_TYPE"),
        (lambda given: not_cloudevent(unknown_type(invalid_data(given))), "NOT_CLOUDEVENT"),
        (lambda given: not_cloudevent(invalid_data(given)), "NOT_CLOUDEVENT"),
    ],
)
def test_of_several_faults_the_first_in_the_contracts_order_is_given(
    later: str, spoil: Any, code: str
):
    line = as_bytes(spoil(LATER_FAULTS[later]))

    assert codes_of(*BEFORE, line)[-1] == code
    assert codes_of(*BEFORE, not_json(line))[-1] == "NOT_JSON"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        # a taken identity, and …
        (envelope("certificate-issued", "P-9", "e1", CERTIFICATE), "CONFLICTING_DUPLICATE"),
        (enrolment("P-1", "b1"), "CONFLICTING_DUPLICATE"),
        (envelope("course-completed", "P-1", "e1", {"course": "?"}), "CONFLICTING_DUPLICATE"),
        (purchase("P-1", "e1"), "CONFLICTING_DUPLICATE"),
        # nobody enrolled, and …
        (envelope("course-completed", "P-9", "n", {"course": "?"}), "NOT_ENROLLED"),
        (envelope("survey-submitted", "P-9", "n", {"survey": 99}), "NOT_ENROLLED"),
        (envelope("event-voided", "P-9", "n",
                  {"source": "?", "id": "?", "reason": "x", "authority": "x"}), "NOT_ENROLLED"),
        # something unknown, and an id used before
        (purchase("P-1", "n", package="?"), "UNKNOWN_REFERENCE"),
    ],
)  # fmt: skip
def test_of_two_later_faults_the_first_is_given(given: dict[str, Any], code: str):
    assert codes_of(*BEFORE, as_bytes(given))[-1] == code


def test_a_correction_that_is_a_duplicate_and_broken_in_form_is_broken():
    line = as_bytes(enrolment("P-1", "e1")).replace(b'"wave":2', b'"wave":2,"more":1')

    assert codes_of(*BEFORE, line)[-1] == "INVALID_DATA"


def test_the_identity_of_a_refused_line_is_free():
    broken = as_bytes(enrolment("P-1", "e1") | {"type": "?"})

    assert codes_of(broken, *BEFORE) == ["UNKNOWN_TYPE", "RECORDED", "RECORDED"]


# --- two ways of reading ---------------------------------------------------------------------------


def both_ways(line: bytes) -> tuple[Any, Any]:
    quick, slow = (
        read_event(line, 7, KARTU_PRAKERJA),
        wire._read_slowly(line, 7, KARTU_PRAKERJA),
    )
    return quick, slow


@pytest.mark.parametrize("seed", range(20))
def test_the_quick_way_and_the_slow_way_agree_on_random_histories(seed: int):
    for line in worlds.history(seed, events=220, broken=0.4):
        quick, slow = both_ways(line)

        assert quick == slow, f"worlds seed {seed}: {line[:300]!r}"
        assert type(quick) is type(slow)


TRAPS = [
    as_bytes(enrolment()).replace(b'"wave":2', b'"wave":' + raw)
    for raw in (
        b"2.0", b"2e0", b"true", b"null", b'"2"', b"-0", b"9007199254740991", b"9007199254740992",
        b"18446744073709551616", b"1" + b"0" * 400, b"[2]", b"{}", b"02", b"2 ", b"2,\"w\":NaN",
    )
] + [
    as_bytes(enrolment() | changes)
    for changes in (
        {"specversion": None}, {"specversion": "1"}, {"time": 1}, {"time": "2020-05-19"},
        {"recordedtime": None}, {"recordedtime": "2020-05-19T09:59:59+07:00"}, {"data": []},
        {"data": None}, {"id": ""}, {"id": "x" * 200}, {"id": "x" * 201}, {"id": "𝓐" * 200},
        {"traceparent": None}, {"traceparent": 1}, {"x": 1}, {"x1": "a"}, {"x" + "a" * 20: 1},
        {"Id": "e"}, {"type": "prakerja.enrolled.v1 "}, {"subject": "programme"},
    )
] + [
    kept(b'"a\\"b"'), kept(b'"\\\\"'), kept(b"\"'\""), as_bytes(enrolment('a"b')),
    as_bytes(enrolment("a\\b")), as_bytes(enrolment())[:-1], as_bytes(enrolment()) + b" \t\r",
    b" \t" + as_bytes(enrolment()), as_bytes(enrolment()) + b"}", b"{}", b'{"id":"1"}',
    as_bytes(envelope("payments-resumed", "programme", "h", {})),
    as_bytes(envelope("payments-resumed", "P-1", "h", {})),
    as_bytes(envelope("payments-held", "programme", "h", {"reason": ""})),
    as_bytes(purchase(courses=[])), as_bytes(purchase(courses=[{"course": "C"}])),
    as_bytes(purchase(courses=[{"course": "C", "institution": "I"}] * 2)),
    as_bytes(purchase(price=2.0)), as_bytes(purchase(price=-1)), as_bytes(purchase(package=None)),
]  # fmt: skip


@pytest.mark.parametrize("line", TRAPS)
def test_the_quick_way_and_the_slow_way_agree_on_traps(line: bytes):
    quick, slow = both_ways(line)

    assert quick == slow


def test_every_refusal_says_what_to_do():
    """A whole sentence with its fields filled in, and one that tells what to do."""
    for seed in range(100, 106):
        for line in worlds.history(seed, events=200, broken=0.7):
            event = read_event(line, 1, KARTU_PRAKERJA)
            if isinstance(event, Refusal):
                text = str(event)
                assert text.count(". ") >= 1, text
                assert text.endswith("."), text
                assert not re.search(r"\{[a-z_]+\}", text), text


# --- hostile strings are data ----------------------------------------------------------------------

NAUGHTY_FILE = VECTORS / "blns" / "blns.json"
NAUGHTY = (
    sorted({text for text in json.loads(NAUGHTY_FILE.read_bytes()) if 1 <= len(text) <= 200})
    if NAUGHTY_FILE.exists()
    else []
)
needs_naughty = pytest.mark.skipif(
    not NAUGHTY, reason=f"{NAUGHTY_FILE} is missing: no hostile string was tried"
)


def naughty_history() -> list[bytes]:
    """Each hostile string as id, participant, course, certificate, account and reference."""
    lines = []
    for text in NAUGHTY:
        courses = [{"course": text, "institution": text}]
        sent = {
            "disbursement": text, "component": "survey", "instalment": 1, "amount": 50_000,
            "provider": "ovo", "account": text,
        }  # fmt: skip
        for kind, data in (
            ("enrolled", {"wave": 2, "scheme": "semi-bansos-2020"}),
            ("account-linked", {"provider": "ovo", "account": text}),
            ("training-purchased", purchase(purchase=text, courses=courses)["data"]),
            ("certificate-issued", {"course": text, "certificate": text}),
            ("disbursement-instructed", sent),
            ("disbursement-settled", {"disbursement": text, "reference": text}),
            ("participation-revoked", {"reason": "other"}),
            ("participation-reinstated", {"reason": text}),
            ("complaint-filed", {"complaint": text, "channel": text}),
        ):
            given = envelope(kind, text, text, data, x1={text: text}, tracestate=text)
            lines.append(as_bytes(given | {"source": f"//{kind}"}))
    return lines


@needs_naughty
def test_hostile_strings_go_through_a_ledger_byte_for_byte(tmp_path: Path):
    history = tmp_path / "history.jsonl"
    history.write_bytes(b"".join(line + b"\n" for line in naughty_history()))
    url = f"sqlite:///{tmp_path}/ledger.db"

    imported = run("import", history, "--ledger", url)
    exported = run("export", url)

    assert (imported.status, imported.err) == (0, "")
    assert exported.out == history.read_bytes()


@needs_naughty
def test_hostile_strings_come_back_in_statements_as_they_are(tmp_path: Path):
    history = tmp_path / "history.jsonl"
    history.write_bytes(b"".join(line + b"\n" for line in naughty_history()))

    answer = run("statement", history, "--json", "--as-of", "2020-07-02")

    assert [json.loads(line)["participant"] for line in answer.lines] == NAUGHTY
