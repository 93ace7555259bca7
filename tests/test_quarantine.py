"""Lines that are no event of history format 1: each with its code and a sentence that helps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from prakerja_ledger.domain.errors import Refusal
from prakerja_ledger.domain.events import Event
from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.evidence.wire import is_blank, read_event
from tests.support import as_lines, enrolled, linked, rated, read, sales_stopped

GOOD = enrolled()[0]


def changed(**attributes) -> bytes:
    return as_lines([GOOD | attributes])[0]


def without(name: str) -> bytes:
    return as_lines([{key: value for key, value in GOOD.items() if key != name}])[0]


def with_data(**fields) -> bytes:
    return changed(data=GOOD["data"] | fields)


def linked_with(**fields) -> bytes:
    event = linked()[0]
    return as_lines([event | {"data": {**event["data"], **fields}}])[0]


LINE = as_lines([GOOD])[0]
DEEP = b'{"x1":' + b"[" * 64 + b"]" * 64 + b"}"
ENVELOPE = (
    "Attributes are strings, source, id and subject of 1 to 200 characters, specversion is 1.0, "
    "data is an object."
)
AGAIN = "Correct it and send the event again."

# name → (line, code, its sentence)
BROKEN: dict[str, tuple[bytes, str, str]] = {
    "not UTF-8": (
        LINE[:-1] + b"\xff}", "NOT_JSON",
        f"byte {len(LINE)} is not UTF-8. Save the file as UTF-8.",
    ),
    "a byte order mark": (
        b"\xef\xbb\xbf" + LINE, "NOT_JSON",
        "the line starts with a byte order mark. Save the file as UTF-8 without BOM.",
    ),
    "half a surrogate pair": (
        changed(x1="").replace(b'"x1": ""', b'"x1": "\\ud800"'), "NOT_JSON",
        "a \\u escape is half of a surrogate pair and stands for no character. Write the character "
        "itself in UTF-8.",
    ),
    "a list": (
        b"[" + LINE + b"]", "NOT_JSON",
        "the line is not a JSON object. Write one CloudEvents object a line.",
    ),
    "cut short": (
        LINE[:-1], "NOT_JSON",
        f"not JSON at character {len(LINE)}: Expecting ',' delimiter. Write one complete JSON "
        "object a line.",
    ),
    "two objects": (
        LINE + LINE, "NOT_JSON",
        f"not JSON at character {len(LINE) + 1}: Extra data. Write one complete JSON object a "
        "line.",
    ),
    "a key twice": (
        LINE[:-1] + b',"id":"again"}', "NOT_JSON",
        "key 'id' stands twice in one object, and which one is meant cannot be known. Keep one.",
    ),
    "a key twice, deep inside": (
        LINE[:-1] + b',"x1":[{"a":1,"a":1}]}', "NOT_JSON",
        "key 'a' stands twice in one object, and which one is meant cannot be known. Keep one.",
    ),
    "NaN": (
        LINE[:-1] + b',"x1":NaN}', "NOT_JSON",
        "NaN is not a JSON number. Write a number, or leave the field out.",
    ),
    "a number too large for a double": (
        LINE[:-1] + b',"x1":1e309}', "NOT_JSON",
        "a number is too large for a double. Write it smaller, or as text.",
    ),
    "an integer too large for a double": (
        LINE[:-1] + b',"x1":1' + b"0" * 309 + b"}", "NOT_JSON",
        "a number is too large for a double. Write it smaller, or as text.",
    ),
    "65 levels": (
        DEEP, "NOT_JSON", "the line nests deeper than 64 levels. Flatten it.",
    ),
    "a line too long": (
        LINE + b" " * 1_048_577, "NOT_JSON",
        "the line is longer than 1048576 bytes. Split what it holds into events of their own.",
    ),
    "an unknown attribute": (
        changed(note="x"), "NOT_CLOUDEVENT",
        "attribute 'note' is unknown. Leave it out, or name an extension x followed by up to 19 of "
        "a-z and 0-9.",
    ),
    "a missing attribute": (
        without("subject"), "NOT_CLOUDEVENT", "attribute subject is missing. Add it.",
    ),
    "an attribute null": (
        changed(recordedtime=None), "NOT_CLOUDEVENT",
        f"the envelope is wrong: Expected `str`, got `null` - at `$.recordedtime`. {ENVELOPE}",
    ),
    "data no object": (
        changed(data=[]), "NOT_CLOUDEVENT",
        f"the envelope is wrong: Expected `object`, got `array` - at `$.data`. {ENVELOPE}",
    ),
    "an empty subject": (
        changed(subject=""), "NOT_CLOUDEVENT",
        "the envelope is wrong: Expected `str` of length >= 1 - at `$.subject`. " + ENVELOPE,
    ),
    "an id too long": (
        changed(id="é" * 201), "NOT_CLOUDEVENT",
        "the envelope is wrong: Expected `str` of length <= 200 - at `$.id`. " + ENVELOPE,
    ),
    "another specversion": (
        changed(specversion="0.3"), "NOT_CLOUDEVENT",
        f"the envelope is wrong: Invalid enum value '0.3' - at `$.specversion`. {ENVELOPE}",
    ),
    "an unknown type": (
        changed(type="prakerja.enroled.v1"), "UNKNOWN_TYPE",
        "type 'prakerja.enroled.v1' is not one of history format 1. Check its spelling and version "
        "against the list of event types.",
    ),
    "an unknown field": (
        with_data(note=1), "INVALID_DATA",
        f"field 'note' is unknown; expected one of: wave, scheme. {AGAIN}",
    ),
    "a missing field": (
        changed(data={"wave": 1}), "INVALID_DATA",
        f"field scheme is missing; expected all of: wave, scheme. {AGAIN}",
    ),
    "a field null": (
        with_data(wave=None), "INVALID_DATA",
        f"field wave is null; expected a value, or the field left out. {AGAIN}",
    ),
    "a wave that is a text": (
        with_data(wave="1"), "INVALID_DATA",
        f"field wave is '1'; expected an integer from 1 to 9007199254740991. {AGAIN}",
    ),
    "a wave that is true": (
        with_data(wave=True), "INVALID_DATA",
        f"field wave is True; expected an integer from 1 to 9007199254740991. {AGAIN}",
    ),
    "a wave with a fraction of nothing": (
        with_data(wave=1.0), "INVALID_DATA",
        f"field wave is 1.0; expected an integer from 1 to 9007199254740991. {AGAIN}",
    ),
    "an unknown scheme": (
        with_data(scheme="semi-bansos"), "INVALID_DATA",
        "field scheme is 'semi-bansos'; expected one of semi-bansos-2020, semi-bansos-2021, "
        f"semi-bansos-2022, normal-2023, normal-2024. {AGAIN}",
    ),
    "an unknown provider": (
        linked_with(provider="paypal"), "INVALID_DATA",
        f"field provider is 'paypal'; expected one of bni, bca, ovo, gopay, linkaja, dana. {AGAIN}",
    ),
    "a provider that is a list": (
        linked_with(provider=["ovo"]), "INVALID_DATA",
        f"field provider is ['ovo']; expected one of bni, bca, ovo, gopay, linkaja, dana. {AGAIN}",
    ),
    "an account too long to show": (
        linked_with(account="a" * 201), "INVALID_DATA",
        f"field account is '{'a' * 56}...; expected a text of 1 to 200 characters. {AGAIN}",
    ),
    "a rating of nothing": (
        as_lines(rated(programme=None))[0], "INVALID_DATA",
        "field instructor is absent, as are facilities and programme; expected at least one of the "
        f"three. {AGAIN}",
    ),
    "a programme event of another subject": (
        as_lines([sales_stopped()[0] | {"subject": "P-1"}])[0], "INVALID_DATA",
        f"field subject is 'P-1'; expected 'programme'. {AGAIN}",
    ),
    "a time without offset": (
        changed(time="2020-04-20T10:00:00"), "INVALID_DATA",
        "'2020-04-20T10:00:00' is not an RFC 3339 timestamp with offset, such as "
        "2020-05-19T10:00:00+07:00, of the years 0001 to 9999 (also in WIB). Write it so.",
    ),
    "recorded before it happened": (
        changed(recordedtime="2020-04-20T11:59:59.999999999+07:00"), "INVALID_DATA",
        "field recordedtime is 2020-04-20T11:59:59.999999999+07:00, before time "
        f"2020-04-20T12:00:00+07:00; expected an instant not before time. {AGAIN}",
    ),
}  # fmt: skip


def judged(line: bytes) -> Event | Refusal:
    return read_event(line, 1, KARTU_PRAKERJA)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_quarantined_with_its_code_and_its_sentence(name):
    line, code, sentence = BROKEN[name]
    found = judged(line)
    assert isinstance(found, Refusal)
    assert (found.code, str(found)) == (code, sentence)


@pytest.mark.parametrize("name", BROKEN)
def test_the_sentence_says_what_to_do(name):
    sentences = re.split(r"(?<=\.) (?=[A-Z])", str(judged(BROKEN[name][0])))
    assert len(sentences) > 1


def test_every_code_of_a_line_alone_has_a_scenario():
    codes = {code for _, code, _ in BROKEN.values()}
    assert codes == {"NOT_JSON", "NOT_CLOUDEVENT", "UNKNOWN_TYPE", "INVALID_DATA"}


WHOLE: dict[str, bytes] = {
    "64 levels": LINE[:-1] + b',"x1":' + b"[" * 63 + b"]" * 63 + b"}",
    "brackets in a string": LINE[:-1] + b',"x1":"' + b"[{" * 100 + b'"}',
    "brackets after an escaped quote": LINE[:-1] + b',"x1":"\\"' + b"[{" * 100 + b'"}',
    "many brackets side by side": LINE[:-1] + b',"x1":[' + b"[]," * 100 + b"[]]}",
    "a line of the longest length": LINE + b" " * (1_048_576 - len(LINE)),
    "the largest double": LINE[:-1] + b',"x1":1.7976931348623157e308}',
    "a pair of surrogates": LINE[:-1] + b',"x1":"\\ud83d\\ude00"}',
    "a kept attribute of any kind": LINE[:-1] + b',"sequence":[null,{"a":1}],"x":null}',
    "a kept attribute that looks like a key twice": LINE[:-1] + b',"x1":"\\"id\\":"}',
    "the longest names": changed(id="𝓐" * 200, source="é" * 200, subject="x" * 200),
    "escaped keys": LINE.replace(b'"subject"', b'"\\u0073ubject"'),
    "a CR before the LF": LINE + b"\r",
    "spaces around": b" \t" + LINE + b" ",
    "the largest integer": with_data(wave=2**53 - 1),
    "lower case t and z": changed(time="2020-04-20t10:00:00z"),
    "recorded when it happened": changed(recordedtime="2020-04-20T05:00:00.000Z"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_nearest_good_line_is_an_event(name):
    found = judged(WHOLE[name])
    assert isinstance(found, Event), str(found)


def test_negative_zero_is_no_wave():
    found = judged(LINE.replace(b'"wave": 1', b'"wave": -0'))
    assert found.code == "INVALID_DATA"


@pytest.mark.parametrize("line", [b"", b" ", b"\t", b"\r", b" \t\r", b"\n"])
def test_a_line_of_only_white_space_is_blank(line):
    assert is_blank(line)


@pytest.mark.parametrize("line", [b"\x0b", b"\x0c", b"\x00", b"\xc2\xa0", b"x"])
def test_any_other_line_is_not_blank(line):
    assert not is_blank(line)


def test_blank_lines_count_as_line_numbers_only():
    found = read([b"", LINE, b" \t\r", b"x"])
    assert (found.counts, list(found.refusals)) == ((1, 0, 1), [4])


# --- two faults in one line: the first code applies ------------------------------------------------


def worse(line: bytes, *faults: Callable[[dict], dict]) -> bytes:
    event = json.loads(line)
    for fault in faults:
        event = fault(event)
    return json.dumps(event).encode()


def unknown_attribute(event: dict) -> dict:
    return event | {"note": 1}


def unknown_type(event: dict) -> dict:
    return event | {"type": "prakerja.x.v1"}


def invalid_data(event: dict) -> dict:
    return event | {"data": {"wave": 0}}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (worse(LINE, invalid_data, unknown_type, unknown_attribute)[:-1], "NOT_JSON"),
        (worse(LINE, invalid_data, unknown_type, unknown_attribute), "NOT_CLOUDEVENT"),
        (worse(LINE, invalid_data, unknown_type), "UNKNOWN_TYPE"),
        (worse(LINE, invalid_data), "INVALID_DATA"),
    ],
)
def test_of_two_faults_the_first_code_is_given(line, code):
    assert judged(line).code == code


def test_a_line_broken_in_itself_is_told_before_its_identity_conflicts():
    found = read([LINE, with_data(wave=0)])
    assert [one.code for one in found.refusals.values()] == ["INVALID_DATA"]
