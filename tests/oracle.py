"""The contract read a second time: naive, literal, and independent of the package it judges.

Nothing here imports `prakerja_ledger`. Every state is worked out from scratch, from the whole
list of recorded events, each time it is asked for: obvious before fast, so that a difference from
the real implementation is a question about the contract and not about this file's bookkeeping.
Docstrings quote the sentence they implement. "AMBIGUOUS" marks a choice the contract leaves open.

    python tests/oracle.py check|statement|findings FILE [--as-of D] [--known-at K]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import re
import sys
from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

Json = Any
Data = dict[str, Json]
Line = tuple[str, int]  # (component, instalment)
Cause = tuple[str, str, "list[Event]"]  # (code, owner, the events that are evidence for it)

POST_TRAINING = "post-training"
SURVEY = "survey"
WIB_SECONDS = 7 * 3600
DAY_SECONDS = 24 * 3600


# --------------------------------------------------------------------------------------------
# Section 1: time


class BadTimestamp(ValueError):
    """`time` or `recordedtime` not such a timestamp."""


class CalendarError(ValueError):
    """A working day was needed that is outside the holiday list."""


TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_date(text: str) -> date:
    """Dates are real days, `YYYY-MM-DD`."""
    if not DATE.fullmatch(text):
        raise ValueError(f"not a date: {text!r}")
    return date(int(text[0:4]), int(text[5:7]), int(text[8:10]))


def parse_offset(text: str) -> int:
    """The offset of a timestamp in seconds east of UTC."""
    if text in ("Z", "z"):
        return 0
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise BadTimestamp(text)
    seconds = hours * 3600 + minutes * 60
    return -seconds if text[0] == "-" else seconds


def parse_timestamp(text: str) -> Fraction:
    """Seconds since 0001-01-01T00:00:00Z.

    "`t` and `z` may be lower case, no space for the `T`, no `:60`, no `24:00`, year 0001-9999
    also in WIB, any number of fraction digits, compared exactly"; at most 200 characters.
    """
    match = TIMESTAMP.fullmatch(text)
    if match is None or len(text) > 200:
        raise BadTimestamp(text)
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as error:
        raise BadTimestamp(text) from error
    hour, minute, second = int(match[4]), int(match[5]), int(match[6])
    if hour > 23 or minute > 59 or second > 59:
        raise BadTimestamp(text)
    fraction = Fraction("0" + match[7]) if match[7] else Fraction(0)
    local = (day.toordinal() - 1) * DAY_SECONDS + hour * 3600 + minute * 60 + second
    instant = local - parse_offset(match[8]) + fraction
    wib_ordinal = math.floor((instant + WIB_SECONDS) / DAY_SECONDS) + 1
    if not 1 <= wib_ordinal <= date.max.toordinal():
        raise BadTimestamp(text)
    return instant


def wib_date(instant: Fraction) -> date:
    """ "Date" always means the calendar date in WIB (UTC+7)."""
    return date.fromordinal(math.floor((instant + WIB_SECONDS) / DAY_SECONDS) + 1)


def parse_known_at(text: str | None) -> Fraction | None:
    """K is an instant, or a date that means the end of that day in WIB, or open.

    "a date K means its last microsecond exactly".
    """
    if text is None:
        return None
    if DATE.fullmatch(text):
        end_of_day = parse_date(text).toordinal() * DAY_SECONDS - WIB_SECONDS
        return end_of_day - Fraction(1, 1_000_000)
    return parse_timestamp(text)


def format_known_at(instant: Fraction | None) -> str | None:
    """K in UTC: "the exact fraction without trailing zeros and only when it is not zero"."""
    if instant is None:
        return None
    whole = math.floor(instant)
    days, seconds = divmod(whole, DAY_SECONDS)
    # Midnight WIB of 0001-01-01 is still the day before in UTC, which `date` cannot hold.
    day = "0000-12-31" if days < 0 else date.fromordinal(days + 1).isoformat()
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    fraction, digits = instant - whole, ""
    while fraction:
        fraction *= 10
        digits += str(math.floor(fraction))
        fraction -= math.floor(fraction)
    return f"{day}T{clock}{'.' + digits if digits else ''}Z"


# --------------------------------------------------------------------------------------------
# Section 3: schemes and working days


@dataclass(frozen=True)
class Scheme:
    """One row of the table of section 3."""

    id: str
    first_wave: int
    last_wave: int | None
    training_balance: int
    post_training: tuple[int, int]  # (instalments, amount of each)
    survey: tuple[int, int]
    payment_window: int  # working days
    survey_payment: int  # calendar days
    first_purchase_within: int  # days
    first_course_by: date | None
    surveys_by: date | None
    account_by: date | None
    training_used_by: date | None

    def instalments(self, component: str) -> int:
        """How many instalments of a component there are."""
        return self.post_training[0] if component == POST_TRAINING else self.survey[0]

    def amount(self, line: Line) -> int:
        """ "An instalment that the scheme in force lacks ... is a line of amount 0"."""
        component, instalment = line
        if instalment > self.instalments(component):
            return 0
        return self.post_training[1] if component == POST_TRAINING else self.survey[1]


SEMI, NORMAL = ((4, 600_000), (3, 50_000)), ((1, 600_000), (2, 50_000))
SCHEMES: dict[str, Scheme] = {
    scheme.id: scheme
    for scheme in (
        Scheme(
            "semi-bansos-2020", 1, 11, 1_000_000, *SEMI, 7, 14, 30,
            date(2020, 12, 15), date(2020, 12, 15), date(2021, 3, 4), date(2020, 12, 15),
        ),
        Scheme(
            "semi-bansos-2021", 12, 22, 1_000_000, *SEMI, 5, 14, 30,
            None, date(2021, 12, 10), date(2021, 12, 15), None,
        ),
        Scheme(
            "semi-bansos-2022", 23, 47, 1_000_000, *SEMI, 5, 14, 30, None, None, None, None
        ),
        Scheme("normal-2023", 48, 64, 3_500_000, *NORMAL, 5, 14, 15, None, None, None, None),
        Scheme("normal-2024", 65, None, 3_500_000, *NORMAL, 5, 14, 15, None, None, None, None),
    )
}  # fmt: skip


@dataclass(frozen=True)
class WorkingDays:
    """Monday to Friday less the listed holidays, and only inside the listed years."""

    holidays: frozenset[date]

    @cached_property
    def years(self) -> tuple[int, int]:
        """The first and last year that the list speaks of: it holds whole years."""
        listed = [holiday.year for holiday in self.holidays]
        return min(listed), max(listed)

    def is_working_day(self, day: date) -> bool:
        """A day outside the years of the list is neither: it is an error."""
        first_year, last_year = self.years
        if not first_year <= day.year <= last_year:
            raise CalendarError(f"{day} is outside the holiday list")
        return day.weekday() < 5 and day not in self.holidays

    def after(self, start: date, count: int) -> date:
        """The count-th working day after `start` ("the first counted is the one after")."""
        day = start
        while count > 0:
            day = next_day(day)
            if self.is_working_day(day):
                count -= 1
        return day

    def between(self, start: date, end: date) -> int:
        """Working days after `start` up to and including `end`.

        AMBIGUOUS: a day outside the list cannot be counted, so this is an error as well.
        """
        count, day = 0, start
        while day < end:
            day = next_day(day)
            count += self.is_working_day(day)
        return count


def next_day(day: date) -> date:
    """The day after; there is none after 9999-12-31, which no list can hold either."""
    try:
        return day + timedelta(days=1)
    except OverflowError as error:
        raise CalendarError("past the last day there is") from error


def default_holidays() -> Path:
    """The package's own list, else the one it is to be made from."""
    root = Path(__file__).resolve().parents[1]
    name = "working-day-holidays.csv"
    for path in (
        root / "prakerja_ledger" / "domain" / "data" / name,
        root.parent / "shared" / "data" / name,
    ):
        if path.exists():
            return path
    raise FileNotFoundError(name)


@lru_cache(maxsize=8)
def working_days(path: Path | None) -> WorkingDays:
    """The calendar of a holiday list (columns `date`, `name`)."""
    with open(path or default_holidays(), encoding="utf-8", newline="") as file:
        return WorkingDays(frozenset(parse_date(row["date"]) for row in csv.DictReader(file)))


# --------------------------------------------------------------------------------------------
# Section 2: what `data` may hold

PLATFORMS = frozenset(
    "bukalapak maubelajarapa pijar-mahir pintaria sekolahmu sisnaker skill-academy tokopedia "
    "karier-mu".split()
)
PROVIDERS = frozenset("bni bca ovo gopay linkaja dana".split())
METHODS = frozenset("prakerja bank-transfer atm credit-card e-money other".split())
REVOCATION_REASONS = frozenset("no-first-purchase ineligible fraud other".split())
OUTCOMES = frozenset("paid explained rejected withdrawn".split())
DIMENSIONS = ("instructor", "facilities", "programme")
REASON_OWNERS = {
    "account-closed": "participant",
    "account-blocked": "participant",
    "account-not-found": "participant",
    "not-kyc": "participant",
    "wallet-limit": "participant",
    "nik-mismatch": "participant",
    "name-mismatch": "participant",
    "phone-changed": "participant",
    "insufficient-funds": "programme",
    "partner-rejected": "payment-partner",
    "technical": "payment-partner",
    "unknown": "payment-partner",
}
Check = Callable[[Json], bool]


def is_text(value: Json) -> bool:
    """Strings are non-empty, and at most 200 characters (code points)."""
    return type(value) is str and 1 <= len(value) <= 200


def is_flag(value: Json) -> bool:
    """A JSON true or false."""
    return type(value) is bool


def is_day(value: Json) -> bool:
    """Dates are real days, `YYYY-MM-DD`."""
    try:
        return type(value) is str and bool(parse_date(value))
    except ValueError:
        return False


def integer(low: int, high: int = 2**53 - 1) -> Check:
    """A JSON integer; `600000.0`, `"600000"` and `true` are not one."""
    return lambda value: type(value) is int and low <= value <= high


def one_of(names: Iterable[str]) -> Check:
    """Enumerated strings."""
    allowed = frozenset(names)
    return lambda value: type(value) is str and value in allowed


def is_course_list(value: Json) -> bool:
    """A non-empty list of {`course`, `institution`} with distinct `course`."""
    if type(value) is not list or not value:
        return False
    for item in value:
        if type(item) is not dict or set(item) != {"course", "institution"}:
            return False
        if not is_text(item["course"]) or not is_text(item["institution"]):
            return False
    return len({item["course"] for item in value}) == len(value)


def is_platform_list(value: Json) -> bool:
    """A list of >= 1 distinct platforms of section 6."""
    if type(value) is not list or not value:
        return False
    return all(one_of(PLATFORMS)(item) for item in value) and len(set(value)) == len(value)


POSITIVE = integer(1)
COMPONENT = one_of((POST_TRAINING, SURVEY))
REASON_CODE = one_of(REASON_OWNERS)
PLATFORM = one_of(PLATFORMS)
PROVIDER = one_of(PROVIDERS)
WAVE = {"wave": POSITIVE, "scheme": one_of(SCHEMES)}

# A name that ends in "?" is an optional field (absent, never null).
PARTICIPANT_FIELDS: dict[str, dict[str, Check]] = {
    "enrolled": WAVE,
    "enrolment-corrected": {**WAVE, "reason": is_text, "authority": is_text},
    "account-linked": {"provider": PROVIDER, "account": is_text},
    "account-verified": {"account": is_text},
    "account-rejected": {"account": is_text, "reason": REASON_CODE},
    "account-unlinked": {"account": is_text},
    "training-purchased": {
        "purchase": is_text, "platform": PLATFORM, "price": integer(0),
        "method": one_of(METHODS), "courses": is_course_list, "package?": is_text,
    },
    "purchase-refunded": {"purchase": is_text, "amount": POSITIVE},
    "course-completed": {"course": is_text, "score?": integer(0, 100)},
    "certificate-issued": {"course": is_text, "certificate": is_text},
    "course-rated": {
        "course": is_text, "reviewed": is_flag,
        "instructor?": integer(1, 5), "facilities?": integer(1, 5), "programme?": integer(1, 5),
    },
    "survey-submitted": {"survey": POSITIVE},
    "disbursement-instructed": {
        "disbursement": is_text, "component": COMPONENT, "instalment": POSITIVE,
        "amount": POSITIVE, "provider": PROVIDER, "account?": is_text,
    },
    "disbursement-settled": {"disbursement": is_text, "amount?": POSITIVE, "reference": is_text},
    "disbursement-failed": {"disbursement": is_text, "reason": REASON_CODE},
    "disbursement-returned": {
        "disbursement": is_text, "amount?": POSITIVE, "reason": REASON_CODE,
    },
    "participation-revoked": {"reason": one_of(REVOCATION_REASONS)},
    "participation-reinstated": {"reason": is_text},
    "complaint-filed": {
        "complaint": is_text, "component?": COMPONENT, "instalment?": POSITIVE,
        "channel?": is_text,
    },
    "complaint-resolved": {"complaint": is_text, "outcome": one_of(OUTCOMES)},
}  # fmt: skip
VOID_FIELDS: dict[str, dict[str, Check]] = {
    "event-voided": {"source": is_text, "id": is_text, "reason": is_text, "authority": is_text},
}
PACKAGE_FIELDS: dict[str, dict[str, Check]] = {
    "package-offered": {"platform": PLATFORM, "price": integer(0), "courses": is_course_list},
    "package-withdrawn": {"reason?": is_text},
}
PROGRAMME_FIELDS: dict[str, dict[str, Check]] = {
    "package-sales-stopped": {
        "notice": is_text, "effective": is_day, "platforms": is_platform_list,
    },
    "payments-held": {"reason": is_text},
    "payments-resumed": {},
}  # fmt: skip
FIELDS = {**PARTICIPANT_FIELDS, **VOID_FIELDS, **PACKAGE_FIELDS, **PROGRAMME_FIELDS}
KINDS = {f"prakerja.{kind}.v1": kind for kind in FIELDS}


def data_is_valid(kind: str, data: Data) -> bool:
    """`data`: exactly the fields of section 2; an unknown or missing field is an error."""
    fields = FIELDS[kind]
    if set(data) - {name.rstrip("?") for name in fields}:
        return False
    for name, check in fields.items():
        if name.rstrip("?") not in data:
            if not name.endswith("?"):
                return False
        elif not check(data[name.rstrip("?")]):
            return False
    # course-rated: "at least one of them"
    return kind != "course-rated" or any(name in data for name in DIMENSIONS)


# --------------------------------------------------------------------------------------------
# Section 1: events, and the judging of one line

DISBURSEMENT_KINDS = frozenset(
    f"disbursement-{word}" for word in ("instructed", "settled", "failed", "returned")
)


@dataclass(frozen=True)
class Event:
    """One recorded event. `amount` and `line` hold what is fixed when it is recorded."""

    position: int
    source: str
    id: str
    kind: str
    subject: str
    time: Fraction
    recorded: Fraction
    data: Data
    amount: int = 0  # of disbursement-instructed, -settled, -returned
    line: Line | None = None  # of all four disbursement kinds

    @property
    def key(self) -> tuple[str, str]:
        """`source` + `id`: together the identity of the event."""
        return (self.source, self.id)

    @cached_property
    def order(self) -> tuple[Fraction, Fraction, int]:
        """The order of events: (`time`, `recordedtime`, position in the file), as instants."""
        return (self.time, self.recorded, self.position)

    @cached_property
    def day(self) -> date:
        """The date on which it happened."""
        return wib_date(self.time)


@dataclass
class History:
    """A file read: every non-blank line is recorded, a duplicate, or quarantined."""

    recorded: list[Event] = field(default_factory=list)
    duplicates: int = 0
    quarantined: list[tuple[int, str]] = field(default_factory=list)


class Quarantined(Exception):
    """A line is turned away with a code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Duplicate(Exception):
    """A line says again what is recorded: counted, changes nothing."""


def refuse_when(condition: bool, code: str) -> None:
    """Turn the line away when the condition holds."""
    if condition:
        raise Quarantined(code)


def read(lines: Iterable[bytes]) -> History:
    """`recorded + duplicates + quarantined = non-blank lines`."""
    history = History()
    for number, raw in enumerate(lines, start=1):
        line = raw[:-1] if raw.endswith(b"\n") else raw
        if not line.strip(b" \t\r"):
            continue  # blank: skipped, and still counted as a line number
        try:
            history.recorded.append(judge(line, history.recorded))
        except Duplicate:
            history.duplicates += 1
        except Quarantined as refusal:
            history.quarantined.append((number, refusal.code))
    return history


def judge(line: bytes, recorded: list[Event]) -> Event:
    """Codes are tried in this order, and the first that applies is given."""
    attributes = judge_json(line)
    judge_attributes(attributes)
    refuse_when(attributes["type"] not in KINDS, "UNKNOWN_TYPE")
    event = judge_data(attributes, len(recorded))
    judge_identity(event, recorded)
    judge_enrolment(event, recorded)
    judge_references(event, recorded)
    refuse_when(not is_legal(event, recorded), "ILLEGAL_MOVE")
    return with_fixed_facts(event, recorded)


def unique_keys(pairs: list[tuple[str, Json]]) -> Data:
    """Duplicate keys are not JSON here."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("duplicate keys")
    return dict(pairs)


def finite_float(text: str) -> float:
    """A number too large for a double is not JSON here."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("too large")
    return number


def finite_int(text: str) -> int:
    """The same, before Python's own limit on digits can speak."""
    finite_float(text)
    return int(text)


def refuse_constant(text: str) -> Json:
    """NaN/Infinity."""
    raise ValueError(text)


def deeper_than(levels: int, value: Json) -> bool:
    """Nesting deeper than 64 (the event object is level 1)."""
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(deeper_than(levels - 1, item) for item in inner)


def has_unpaired_surrogate(value: Json) -> bool:
    """An unpaired surrogate anywhere: in a key, a string, a kept attribute."""
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return any(has_unpaired_surrogate(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(has_unpaired_surrogate(item) for item in value)


def judge_json(line: bytes) -> Data:
    """NOT_JSON: not UTF-8, ..., or longer than 1,048,576 bytes without the LF."""
    refuse_when(len(line) > 1_048_576, "NOT_JSON")
    try:
        value = json.loads(
            line.decode("utf-8"),  # a BOM stays in the text, and `loads` refuses it
            object_pairs_hook=unique_keys,
            parse_float=finite_float,
            parse_int=finite_int,
            parse_constant=refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise Quarantined("NOT_JSON") from error
    refuse_when(not isinstance(value, dict), "NOT_JSON")
    refuse_when(deeper_than(64, value), "NOT_JSON")
    refuse_when(has_unpaired_surrogate(value), "NOT_JSON")
    attributes: Data = value
    return attributes


REQUIRED = ("specversion", "source", "id", "type", "subject", "time", "data")
KEPT = ("datacontenttype", "dataschema", "traceparent", "tracestate", "sequence", "partitionkey")
EXTENSION = re.compile(r"x[a-z0-9]{0,19}")


def judge_attributes(attributes: Data) -> None:
    """NOT_CLOUDEVENT: "an attribute missing or unknown; ...", as its row says."""
    code = "NOT_CLOUDEVENT"
    for name in attributes:
        known = name in (*REQUIRED, "recordedtime", *KEPT) or EXTENSION.fullmatch(name)
        refuse_when(not known, code)
    for name in REQUIRED:
        refuse_when(name not in attributes, code)
    for name in ("specversion", "source", "id", "type", "subject", "time", "recordedtime"):
        refuse_when(name in attributes and type(attributes[name]) is not str, code)
    refuse_when(type(attributes["data"]) is not dict, code)
    for name in ("source", "id", "subject"):
        refuse_when(not 1 <= len(attributes[name]) <= 200, code)
    refuse_when(attributes["specversion"] != "1.0", code)


def judge_data(attributes: Data, position: int) -> Event:
    """INVALID_DATA: `data` breaks section 2; a bad timestamp; `recordedtime` before `time`.

    Also: "for programme events `"programme"` (any other is `INVALID_DATA`)".
    """
    code, kind, data = "INVALID_DATA", KINDS[attributes["type"]], attributes["data"]
    refuse_when(not data_is_valid(kind, data), code)
    refuse_when(kind in PROGRAMME_FIELDS and attributes["subject"] != "programme", code)
    try:
        time = parse_timestamp(attributes["time"])
        absent: str = attributes["time"]  # `recordedtime` absent: equal to `time`
        recorded = parse_timestamp(attributes.get("recordedtime", absent))
    except BadTimestamp as error:
        raise Quarantined(code) from error
    refuse_when(recorded < time, code)
    return Event(
        position=position,
        source=attributes["source"],
        id=attributes["id"],
        kind=kind,
        subject=attributes["subject"],
        time=time,
        recorded=recorded,
        data=data,
    )


def judge_identity(event: Event, recorded: list[Event]) -> None:
    """Duplicate: same `source`+`id`, `type`, `subject`, `time` as an instant and `data`.

    `data` is compared after it was found valid, so that JSON kinds cannot differ unseen.
    AMBIGUOUS: a copy that is itself ill-formed (a bad `recordedtime`, an unknown attribute) is
    quarantined with its own code, as "codes are tried in this order" comes first here.
    """
    for other in recorded:
        if other.key != event.key:
            continue
        same = (
            other.kind == event.kind
            and other.subject == event.subject
            and other.time == event.time
            and other.data == event.data
        )
        if same:
            raise Duplicate
        raise Quarantined("CONFLICTING_DUPLICATE")


def is_enrolled(subject: str, recorded: list[Event]) -> bool:
    """There is a recorded `enrolled` for the subject (it can never be voided)."""
    return any(e.kind == "enrolled" and e.subject == subject for e in recorded)


def judge_enrolment(event: Event, recorded: list[Event]) -> None:
    """NOT_ENROLLED, ALREADY_ENROLLED."""
    enrolled = is_enrolled(event.subject, recorded)
    if event.kind == "enrolled":
        refuse_when(enrolled, "ALREADY_ENROLLED")
    elif event.kind in PARTICIPANT_FIELDS:
        refuse_when(not enrolled, "NOT_ENROLLED")
    elif event.kind == "event-voided":
        package = any(e.kind in PACKAGE_FIELDS and e.subject == event.subject for e in recorded)
        refuse_when(not (event.subject == "programme" or package or enrolled), "NOT_ENROLLED")


def participant_events(subject: str, recorded: list[Event], *kinds: str) -> list[Event]:
    """Recorded events of some kinds for one subject, voided or not, in recording order."""
    return [e for e in recorded if e.subject == subject and e.kind in kinds]


def has_course(purchase: Event, course: str) -> bool:
    """The course is in the purchase, or in the offer of the package."""
    return any(item["course"] == course for item in purchase.data["courses"])


def refers_to_nothing(event: Event, recorded: list[Event]) -> bool:
    """UNKNOWN_REFERENCE: "A voided event is a reference all the same"."""
    data = event.data

    def known(kind: str, name: str) -> bool:
        found = participant_events(event.subject, recorded, kind)
        return any(e.data[name] == data[name] for e in found)

    match event.kind:
        case "training-purchased" if "package" in data:
            return not participant_events(data["package"], recorded, "package-offered")
        case "purchase-refunded":
            return not known("training-purchased", "purchase")
        case "course-completed" | "certificate-issued" | "course-rated":
            purchases = participant_events(event.subject, recorded, "training-purchased")
            return not any(has_course(purchase, data["course"]) for purchase in purchases)
        case "account-verified" | "account-rejected" | "account-unlinked":
            return not known("account-linked", "account")
        case "disbursement-settled" | "disbursement-failed" | "disbursement-returned":
            return not known("disbursement-instructed", "disbursement")
        case "complaint-resolved":
            return not known("complaint-filed", "complaint")
        case "package-withdrawn":
            return not participant_events(event.subject, recorded, "package-offered")
        case "event-voided":
            return target_of(event, recorded) is None
        case _:
            return False


def judge_references(event: Event, recorded: list[Event]) -> None:
    """What is referred to stands before it."""
    refuse_when(refers_to_nothing(event, recorded), "UNKNOWN_REFERENCE")


def target_of(void: Event, recorded: list[Event]) -> Event | None:
    """The event that a void names: it belongs to the void's subject."""
    wanted = (void.data["source"], void.data["id"])
    for event in recorded:
        if event.key == wanted and event.subject == void.subject:
            return event
    return None


def voided_keys(voids: Iterable[Event]) -> set[tuple[str, str]]:
    """The identities that these `event-voided` take out."""
    return {(e.data["source"], e.data["id"]) for e in voids if e.kind == "event-voided"}


def standing(recorded: list[Event]) -> list[Event]:
    """Recorded events less those voided so far, in recording order."""
    voided = voided_keys(recorded)
    return [event for event in recorded if event.key not in voided]


def is_legal(event: Event, recorded: list[Event]) -> bool:
    """ "Legal when" of section 2: in file order, voided events left out of states.

    Ids of purchases, disbursements and complaints are never used again, voided or not.
    """
    if event.kind == "event-voided":
        return is_legal_void(event, recorded)
    ever = [e for e in recorded if e.subject == event.subject]
    now = [e for e in standing(recorded) if e.subject == event.subject]

    def said_before(name: str, among: list[Event]) -> bool:
        same = (e for e in among if e.kind == event.kind)
        return any(e.data[name] == event.data[name] for e in same)

    match event.kind:
        case "account-verified" | "account-rejected" | "account-unlinked":
            link = account_state(now).link
            return link is not None and link.data["account"] == event.data["account"]
        case "training-purchased":
            return not said_before("purchase", ever)
        case "purchase-refunded":
            return is_legal_refund(event, ever, now)
        case "course-completed" | "certificate-issued":
            return not said_before("course", now)
        case "survey-submitted":
            number = scheme_for_legality(now).instalments(SURVEY)
            return not said_before("survey", now) and event.data["survey"] <= number
        case "participation-revoked":
            return standing_revocation(now) is None
        case "participation-reinstated":
            return standing_revocation(now) is not None
        case "complaint-filed":
            return not said_before("complaint", ever)
        case "complaint-resolved":
            return not said_before("complaint", now)
        case "package-offered" | "package-withdrawn":
            return not any(e.kind == event.kind for e in now)
        case "payments-held":
            return standing_hold(now) is None
        case "payments-resumed":
            return standing_hold(now) is not None
        case kind if kind in DISBURSEMENT_KINDS:
            return is_legal_disbursement(event, ever, now)
        case _:
            return True  # enrolled, enrolment-corrected, account-linked, course-rated, stops


def is_legal_void(void: Event, recorded: list[Event]) -> bool:
    """The event is no `enrolled` and no `event-voided`, and is not voided yet."""
    target = target_of(void, recorded)
    assert target is not None
    return (
        target.kind not in ("enrolled", "event-voided")
        and target.key not in voided_keys(recorded)
    )  # fmt: skip


def is_legal_refund(event: Event, ever: list[Event], now: list[Event]) -> bool:
    """Refunds of a purchase never add up to more than its price."""
    same = [e for e in ever if e.data.get("purchase") == event.data["purchase"]]
    price = next(e.data["price"] for e in same if e.kind == "training-purchased")
    refunded = sum(e.data["amount"] for e in same if e.kind == event.kind and e in now)
    return bool(refunded + event.data["amount"] <= price)


def is_legal_disbursement(event: Event, ever: list[Event], now: list[Event]) -> bool:
    """The four "legal when" of disbursements.

    AMBIGUOUS: an "outcome" is a settlement or a failure, as in 4.1's `t`; a return that lost its
    settlement to a void is none.
    """
    disbursement = event.data["disbursement"]
    if event.kind == "disbursement-instructed":
        new = not any(e.kind == event.kind and e.data["disbursement"] == disbursement for e in ever)
        exists = scheme_for_legality(now).instalments(event.data["component"])
        return new and bool(event.data["instalment"] <= exists)
    same = [e for e in now if e.data.get("disbursement") == disbursement]
    settlements = [e for e in same if e.kind == "disbursement-settled"]
    if event.kind == "disbursement-settled":
        return event.data["reference"] not in [e.data["reference"] for e in settlements]
    if event.kind == "disbursement-failed":
        return not settlements and not any(e.kind == event.kind for e in same)
    left = settled_less_returned(same)
    return left > 0 and bool(event.data.get("amount", left) <= left)


def settled_less_returned(events: Iterable[Event]) -> int:
    """What was settled less what was returned among these events."""
    amounts = {"disbursement-settled": 1, "disbursement-returned": -1}
    return sum(amounts.get(e.kind, 0) * e.amount for e in events)


def scheme_for_legality(now: list[Event]) -> Scheme:
    """ "For 'legal when' the one last recorded, not voided, rules"."""
    kinds = ("enrolled", "enrolment-corrected")
    enrolled = [e for e in now if e.kind == kinds[0]]
    corrected = [e for e in now if e.kind == kinds[1]]
    return SCHEMES[(enrolled + corrected)[-1].data["scheme"]]


def with_fixed_facts(event: Event, recorded: list[Event]) -> Event:
    """Fix the amount of a settlement or return that names none, and the line it counts on."""
    if event.kind not in DISBURSEMENT_KINDS:
        return event
    same = [
        e
        for e in [*recorded, event]
        if e.subject == event.subject
        and e.kind in DISBURSEMENT_KINDS
        and e.data["disbursement"] == event.data["disbursement"]
    ]
    instruction = next(e for e in same if e.kind == "disbursement-instructed")
    now = standing(recorded)
    left = settled_less_returned(e for e in same if e in now)
    absent = left if event.kind == "disbursement-returned" else instruction.data["amount"]
    line = (instruction.data["component"], instruction.data["instalment"])
    amount = event.data["amount"] if "amount" in event.data else absent
    return replace(event, amount=amount, line=line)


# --------------------------------------------------------------------------------------------
# States that both "legal when" (in file order) and views (in the order of events) ask for


@dataclass(frozen=True)
class AccountState:
    """The account that stands linked, the latest word on it, the unlinking that left none."""

    link: Event | None = None
    word: Event | None = None  # account-verified or account-rejected, since the link
    unlinking: Event | None = None

    def stands_verified(self) -> bool:
        """A linked account stands verified: its latest word is a verification."""
        return self.word is not None and self.word.kind == "account-verified"


def account_state(events: Iterable[Event]) -> AccountState:
    """Linked: "replaces the account linked before, and starts unverified".

    "a verification without its link verifies nothing, ... a move that finds nothing to move is
    passed over". Account tokens are compared without the provider.
    """
    state = AccountState()
    for event in events:
        if event.kind == "account-linked":
            state = AccountState(link=event)
        if state.link is None or event.data.get("account") != state.link.data["account"]:
            continue
        if event.kind in ("account-verified", "account-rejected"):
            state = AccountState(link=state.link, word=event)
        if event.kind == "account-unlinked":
            state = AccountState(unlinking=event)
    return state


def standing_between(events: Iterable[Event], start: str, end: str) -> Event | None:
    """The event by which a state stands: from the first `start` until an `end`."""
    since: Event | None = None
    for event in events:
        if event.kind == start and since is None:
            since = event
        if event.kind == end:
            since = None
    return since


def standing_revocation(events: Iterable[Event]) -> Event | None:
    """The participant "stands revoked" from a revocation until a reinstatement."""
    return standing_between(events, "participation-revoked", "participation-reinstated")


def standing_hold(events: Iterable[Event]) -> Event | None:
    """Payments stand held from a hold until they are resumed."""
    return standing_between(events, "payments-held", "payments-resumed")


# --------------------------------------------------------------------------------------------
# Section 4: what is in view


@dataclass(frozen=True)
class View:
    """The events in view as of D, as known at K, in the order of events."""

    as_of: date
    known_at: Fraction | None
    calendar: WorkingDays
    events: list[Event]
    corrections: list[Event]  # known, not voided, whatever their `time`


def view_of(history: History, as_of: str, known_at: str | None, holidays: Path | None) -> View:
    """`recordedtime` <= K and dated <= D, less those voided by a void known at K."""
    day, known = parse_date(as_of), parse_known_at(known_at)
    known_events = [e for e in history.recorded if known is None or e.recorded <= known]
    voided = voided_keys(known_events)  # whatever the `time` of the void
    left = sorted((e for e in known_events if e.key not in voided), key=lambda e: e.order)
    return View(
        as_of=day,
        known_at=known,
        calendar=working_days(holidays),
        events=[e for e in left if e.day <= day],
        corrections=[e for e in left if e.kind == "enrolment-corrected"],
    )


@dataclass(frozen=True)
class Person:
    """One participant in a view: all that a statement is made from."""

    id: str
    enrolled: Event
    correction: Event | None
    wave: int
    scheme: Scheme
    events: list[Event]  # its own, in view, in the order of events
    programme: list[Event]
    as_of: date
    calendar: WorkingDays

    def of(self, *kinds: str) -> list[Event]:
        """Its events of some kinds, in the order of events."""
        return [e for e in self.events if e.kind in kinds]

    def before(self, event: Event) -> list[Event]:
        """ "Before" means the order of events."""
        return [e for e in self.events if e.order < event.order]


def persons(view: View) -> list[Person]:
    """A participant whose `enrolled` is not in view has no statement."""
    enrolled = [e for e in view.events if e.kind == "enrolled"]
    return [person_of(view, e) for e in sorted(enrolled, key=lambda e: e.subject)]


def person_of(view: View, enrolled: Event) -> Person:
    """The latest known correction's wave and scheme hold instead of the enrolment's."""
    corrections = [e for e in view.corrections if e.subject == enrolled.subject]
    holds = corrections[-1] if corrections else enrolled
    own = [e for e in view.events if e.subject == enrolled.subject and e.kind in PARTICIPANT_FIELDS]
    return Person(
        id=enrolled.subject,
        enrolled=enrolled,
        correction=corrections[-1] if corrections else None,
        wave=holds.data["wave"],
        scheme=SCHEMES[holds.data["scheme"]],
        events=own,
        programme=[e for e in view.events if e.kind in PROGRAMME_FIELDS],
        as_of=view.as_of,
        calendar=view.calendar,
    )


def first(events: Sequence[Event]) -> Event | None:
    """The first of events that stand in the order of events."""
    return events[0] if events else None


def present(*events: Event | None) -> list[Event]:
    """Those there are."""
    return [event for event in events if event is not None]


# --------------------------------------------------------------------------------------------
# Section 4.1: purchases and the training line


def refunds_of(person: Person, purchase: Event) -> list[Event]:
    """The refunds of a purchase, in view."""
    wanted = purchase.data["purchase"]
    return [e for e in person.of("purchase-refunded") if e.data["purchase"] == wanted]


def counts(person: Person, purchase: Event) -> bool:
    """`method` is `prakerja` and refunds, if it has any, add up to less than its price."""
    if purchase.data["method"] != "prakerja":
        return False
    refunds = refunds_of(person, purchase)
    return not refunds or sum(e.data["amount"] for e in refunds) < purchase.data["price"]


def counting_purchases(person: Person) -> list[Event]:
    """All is judged as of D: a full refund later takes its courses out again."""
    return [e for e in person.of("training-purchased") if counts(person, e)]


def counting_refunds(person: Person) -> list[Event]:
    """The refunds of counting purchases."""
    return [r for purchase in counting_purchases(person) for r in refunds_of(person, purchase)]


def is_counting_course(person: Person, course: str) -> bool:
    """The courses of counting purchases count."""
    return any(has_course(purchase, course) for purchase in counting_purchases(person))


@dataclass(frozen=True)
class StatementLine:
    """One line of a statement."""

    line: str
    amount: int
    status: str
    owed: int
    paid: int
    unpaid: int
    overdue: int
    in_flight: int
    overpaid: int
    not_yet_earned: int
    forfeited: int
    earned_on: date | None
    due_on: date | None
    overdue_working_days: int
    causes: list[Cause]
    facts: list[Event]  # evidence that does not come from the causes
    earned: bool = False


AMOUNTS = "owed paid unpaid overdue in_flight overpaid not_yet_earned forfeited".split()


def past(person: Person, cut_off: date | None) -> bool:
    """D > a cut-off, where the scheme has one."""
    return cut_off is not None and person.as_of > cut_off


def training_line(person: Person) -> StatementLine:
    """spent = prices of counting purchases less their refunds; `paid` = spent; ..."""
    amount = person.scheme.training_balance
    prices = sum(e.data["price"] for e in counting_purchases(person))
    spent = prices - sum(e.data["amount"] for e in counting_refunds(person))
    owed = min(spent, amount)
    rest = amount - owed
    revocation = standing_revocation(person.events)
    cut_off = past(person, person.scheme.training_used_by)
    forfeited = rest if cut_off or revocation else 0
    causes: list[Cause] = []
    if forfeited and revocation:
        causes.append(("REVOKED", "programme", [revocation]))
    if forfeited and cut_off:
        causes.append(("TRAINING_CUT_OFF", "participant", []))
    return StatementLine(
        line="training",
        amount=amount,
        status="forfeited" if forfeited else "open" if rest else "paid",
        owed=owed,
        paid=spent,
        unpaid=0,
        overdue=0,
        in_flight=0,
        overpaid=spent - owed,
        not_yet_earned=rest - forfeited,
        forfeited=forfeited,
        earned_on=None,
        due_on=None,
        overdue_working_days=0,
        causes=causes,
        facts=counting_purchases(person) + counting_refunds(person),
    )


# --------------------------------------------------------------------------------------------
# Section 4.1: earning a cash line


def first_completion(person: Person, course: str) -> Event | None:
    """Where K hides a void there can be two: the first counts."""
    return first([e for e in person.of("course-completed") if e.data["course"] == course])


def first_certificate(person: Person, course: str) -> Event | None:
    """Where K hides a void there can be two: the first counts."""
    return first([e for e in person.of("certificate-issued") if e.data["course"] == course])


def ratings(person: Person, course: str) -> list[Event]:
    """The participant's ratings of a course."""
    return [e for e in person.of("course-rated") if e.data["course"] == course]


def first_course(person: Person) -> str | None:
    """The counting course with the first completion (order of events), that completion dated by
    "first course completed by" where the scheme has one."""
    cut_off = person.scheme.first_course_by
    for completion in person.of("course-completed"):
        course: str = completion.data["course"]
        if is_counting_course(person, course) and (cut_off is None or completion.day <= cut_off):
            return course
    return None


def first_course_facts(person: Person) -> list[Event | None]:
    """Completion of the first course, its certificate, its first rating, and its first rating
    that is `reviewed`: null where there is none."""
    course = first_course(person)
    if course is None:
        return [None, None, None, None]
    rated = ratings(person, course)
    return [
        first_completion(person, course),
        first_certificate(person, course),
        first(rated),
        first([e for e in rated if e.data["reviewed"]]),
    ]


def submissions(person: Person, number: int) -> list[Event]:
    """The submissions of survey n, in time or not."""
    return [e for e in person.of("survey-submitted") if e.data["survey"] == number]


def counting_submission(person: Person, number: int) -> Event | None:
    """A submission dated after "surveys by" does not count, here and in the causes."""
    by = person.scheme.surveys_by
    return first([e for e in submissions(person, number) if by is None or e.day <= by])


def counting_submissions(person: Person, last: int) -> list[Event | None]:
    """The submissions of surveys 1, ..., n: null where there is none."""
    return [counting_submission(person, number) for number in range(1, last + 1)]


def line_events(person: Person, line: Line, *kinds: str) -> list[Event]:
    """Every event of a line's disbursements (of some kinds)."""
    return [e for e in person.of(*(kinds or DISBURSEMENT_KINDS)) if e.line == line]


def settlements(person: Person, line: Line) -> list[Event]:
    """The settlements on a line."""
    return line_events(person, line, "disbursement-settled")


def first_incentive_settlement(person: Person) -> Event | None:
    """The first settlement on `post-training/1` (a later return does not undo it)."""
    return first(settlements(person, (POST_TRAINING, 1)))


def earned_date_rests_on(person: Person, line: Line) -> list[Event | None]:
    """The events that a line's earned date rests on: for k >= 2 those of `post-training/1`; for
    surveys those too. Null where one is not in view."""
    facts = first_course_facts(person)
    if line[0] == SURVEY:
        facts += [first_incentive_settlement(person), *counting_submissions(person, line[1])]
    return facts


def months_later(day: date, months: int) -> date | None:
    """Same day of the month, or the month's last day where there is none."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    if year > date.max.year:
        return None
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def earned_on(person: Person, line: Line) -> date | None:
    """The earned date of a line, "shown while revoked, and for a coming month".

    Null "where an event that the earned date needs is not in view".
    AMBIGUOUS: null too on a line that the scheme lacks, as it is "never earned".
    """
    facts = earned_date_rests_on(person, line)
    needed = present(*facts)
    if len(needed) < len(facts) or person.scheme.amount(line) == 0:
        return None
    latest = max(event.day for event in needed)
    return months_later(latest, line[1] - 1) if line[0] == POST_TRAINING else latest


def is_earned(person: Person, line: Line) -> bool:
    """Not after D; while the participant stands revoked, not after the revocation's date."""
    day, revocation = earned_on(person, line), standing_revocation(person.events)
    if day is None or day > person.as_of:
        return False
    return revocation is None or day <= revocation.day


def due_on(person: Person, line: Line) -> date | None:
    """Post-training: the earned date plus the payment window in working days; survey: plus the
    survey payment in calendar days.

    "Where a due date needs a day outside the list, it is null for a line that is not earned; for
    an earned one that participant's statement is an error".
    """
    earned = earned_on(person, line)
    if earned is None:
        return None
    try:
        if line[0] == POST_TRAINING:
            return person.calendar.after(earned, person.scheme.payment_window)
        return earned + timedelta(days=person.scheme.survey_payment)
    except (CalendarError, OverflowError) as error:
        if is_earned(person, line):
            raise CalendarError(f"{person.id}: {line[0]}/{line[1]}: {error}") from error
        return None


# --------------------------------------------------------------------------------------------
# Section 4.1: forfeits and amounts of a cash line


def forfeit_conditions(person: Person, line: Line) -> list[Cause]:
    """The conditions of "Forfeited cash line" that hold, as the causes they become."""
    scheme, causes = person.scheme, list[Cause]()
    revocation = standing_revocation(person.events)
    if revocation:
        causes.append(("REVOKED", "programme", [revocation]))
    if past(person, scheme.first_course_by) and first_course(person) is None:
        causes.append(("FIRST_COURSE_CUT_OFF", "participant", []))
    missing_survey = line[0] == SURVEY and None in counting_submissions(person, line[1])
    if missing_survey and past(person, scheme.surveys_by):
        causes.append(("SURVEY_CUT_OFF", "participant", []))
    if past(person, scheme.account_by) and not linked_by(person, scheme.account_by):
        causes.append(("LINK_CUT_OFF", "participant", []))
    return causes


def linked_by(person: Person, cut_off: date | None) -> bool:
    """An account stands linked at the end of that date."""
    until = [e for e in person.events if cut_off is None or e.day <= cut_off]
    return account_state(until).link is not None


def left_over(events: Iterable[Event]) -> int:
    """Per disbursement, left = max(0, settled - returned); the sum of left."""
    events = [e for e in events if e.kind in DISBURSEMENT_KINDS]
    return sum(
        max(0, settled_less_returned(e for e in events if e.data["disbursement"] == name))
        for name in {e.data["disbursement"] for e in events}
    )


def has_outcome(instruction: Event, events: Iterable[Event]) -> bool:
    """Its disbursement has a settlement or a failure among these events."""
    return any(
        e.kind in ("disbursement-settled", "disbursement-failed")
        and e.data["disbursement"] == instruction.data["disbursement"]
        for e in events
    )


def in_flight_amount(person: Person, line: Line) -> int:
    """t = the sum instructed of its disbursements with neither settlement nor failure in view."""
    instructions = line_events(person, line, "disbursement-instructed")
    return sum(e.amount for e in instructions if not has_outcome(e, person.events))


def cash_line(person: Person, line: Line) -> StatementLine:
    """The table "Amounts of a cash line", row by row, and what follows from it."""
    a, e = person.scheme.amount(line), is_earned(person, line)
    p, t = left_over(line_events(person, line)), in_flight_amount(person, line)
    within = min(p, a) if e else 0
    conditions = forfeit_conditions(person, line)
    f = bool(conditions) and within != a  # "unless within = a"
    due = due_on(person, line)
    unpaid = a - within if e and not f else 0
    overdue = unpaid if due is not None and person.as_of > due else 0
    status = cash_status(person, line, paid=p >= a, forfeited=f, in_flight=t > 0)
    return StatementLine(
        line=line_name(line),
        amount=a,
        status=status,
        owed=(within if f else a) if e else 0,
        paid=p,
        unpaid=unpaid,
        overdue=overdue,
        in_flight=t,
        overpaid=p - within,
        not_yet_earned=a if not e and not f else 0,
        forfeited=a - within if f else 0,
        earned_on=earned_on(person, line),
        due_on=due,
        overdue_working_days=overdue_days(person, due) if overdue > 0 else 0,
        causes=cash_causes(person, line, status, conditions, in_flight=t > 0),
        facts=cash_facts(person, line),
        earned=e,
    )


def overdue_days(person: Person, due: date | None) -> int:
    """Working days after `due_on` up to and including D."""
    assert due is not None
    return person.calendar.between(due, person.as_of)


def line_name(line: Line) -> str:
    """`post-training/1`."""
    return f"{line[0]}/{line[1]}"


def cash_status(person: Person, line: Line, *, paid: bool, forfeited: bool, in_flight: bool) -> str:
    """Status, the first that applies."""
    earned, due = is_earned(person, line), due_on(person, line)
    coming_month = line[0] == POST_TRAINING and line[1] >= 2
    if paid:
        return "paid"
    if forfeited:
        return "forfeited"
    if in_flight:
        return "in-flight"
    if not earned and coming_month and is_earned(person, (POST_TRAINING, 1)):
        return "scheduled"
    if not earned:
        return "not-earned"
    return "due" if due is not None and person.as_of <= due else "overdue"


# --------------------------------------------------------------------------------------------
# Section 4.2: causes and evidence


def cash_causes(
    person: Person, line: Line, status: str, conditions: list[Cause], *, in_flight: bool
) -> list[Cause]:
    """The status chooses the row; `causes` lists all of its row that apply, in this order."""
    awaiting: list[Cause] = [("AWAITING_OUTCOME", "payment-partner", [])] if in_flight else []
    if status == "paid":
        return []
    if status == "forfeited":
        return conditions + awaiting
    if not is_earned(person, line):
        return awaiting + unearned_causes(person, line)
    causes = awaiting + earned_causes(person, line)
    return causes or [("NOT_INSTRUCTED", "programme", [])]


def unearned_causes(person: Person, line: Line) -> list[Cause]:
    """The rows `scheduled` and `not-earned`."""
    if line[0] == SURVEY:
        return survey_causes(person, line[1])
    if line[1] >= 2 and is_earned(person, (POST_TRAINING, 1)):
        return [("MONTH_NOT_REACHED", "calendar", [])]
    if not counting_purchases(person):
        return [("NO_PURCHASE", "participant", [])]
    if first_course(person) is None:
        return [("COURSE_NOT_COMPLETED", "participant", [])]
    _, certificate, rating, review = first_course_facts(person)
    causes: list[Cause] = []
    if certificate is None:
        causes.append(("CERTIFICATE_NOT_ON_RECORD", "institution", []))
    if rating is None:
        causes.append(("RATING_NOT_ON_RECORD", "participant", []))
    if review is None:
        causes.append(("REVIEW_NOT_ON_RECORD", "participant", []))
    return causes


def survey_causes(person: Person, number: int) -> list[Cause]:
    """The row `not-earned`, survey."""
    incentive_earned = is_earned(person, (POST_TRAINING, 1))
    causes: list[Cause] = []
    if not incentive_earned or first_incentive_settlement(person) is None:
        causes.append(("FIRST_INCENTIVE_NOT_PAID", "programme", []))
    if None in counting_submissions(person, number - 1):
        causes.append(("EARLIER_SURVEY_NOT_SUBMITTED", "participant", []))
    if counting_submission(person, number) is None:
        causes.append(("SURVEY_NOT_SUBMITTED", "participant", []))
    return causes


def earned_causes(person: Person, line: Line) -> list[Cause]:
    """The row `in-flight`, `due`, `overdue` for an earned line, less its first and last cause."""
    causes: list[Cause] = []
    late = late_reports(person, line)
    if late and not line_events(person, line, "disbursement-instructed"):
        causes.append(("REPORT_LAG", "platform", late))
    hold = standing_hold(person.programme)
    if hold:
        causes.append(("PROGRAMME_HOLD", "programme", [hold]))
    causes += account_causes(person) + transfer_causes(person, line)
    due = due_on(person, line)
    if due is not None and person.as_of <= due:
        causes.append(("PAYMENT_WINDOW_OPEN", "programme", []))
    return causes


def late_reports(person: Person, line: Line) -> list[Event]:
    """The events that the earned date rests on with a `recordedtime` dated after D."""
    facts = present(*earned_date_rests_on(person, line))
    return [e for e in facts if wib_date(e.recorded) > person.as_of]


def account_causes(person: Person) -> list[Cause]:
    """None linked; the latest word is a rejection; linked, no word since."""
    state = account_state(person.events)
    if state.link is None:
        return [("ACCOUNT_NOT_ON_RECORD", "participant", present(state.unlinking))]
    if state.word is None:
        return [("ACCOUNT_NOT_VERIFIED", "participant", [state.link])]
    if state.stands_verified():
        return []
    owner = REASON_OWNERS[state.word.data["reason"]]
    return [("ACCOUNT_REJECTED", owner, [state.link, state.word])]


def transfer_causes(person: Person, line: Line) -> list[Cause]:
    """TRANSFER_FAILED, TRANSFER_RETURNED: of the latest instructed disbursement of the line.

    AMBIGUOUS: where K hides the void of a failure and two are in view, the first one's reason.
    """
    instructions = line_events(person, line, "disbursement-instructed")
    if not instructions:
        return []
    name = instructions[-1].data["disbursement"]
    same = [e for e in line_events(person, line) if e.data["disbursement"] == name]
    failures = [e for e in same if e.kind == "disbursement-failed"]
    returns = [e for e in same if e.kind == "disbursement-returned"]
    settled = any(e.kind == "disbursement-settled" for e in same)
    causes: list[Cause] = []
    if failures and not settled:
        causes.append(("TRANSFER_FAILED", REASON_OWNERS[failures[0].data["reason"]], []))
    if returns:
        causes.append(("TRANSFER_RETURNED", REASON_OWNERS[returns[-1].data["reason"]], []))
    return causes


def cash_facts(person: Person, line: Line) -> list[Event]:
    """The table "Evidence": the rows post-training/k, survey/n and "every cash line"."""
    if line[0] == SURVEY:
        own = [*counting_submissions(person, line[1]), first_incentive_settlement(person)]
    else:
        own = [first_course_purchase(person), *first_course_facts(person)]
    return present(*own) + line_events(person, line)


def first_course_purchase(person: Person) -> Event | None:
    """The first counting purchase that has the first course."""
    course = first_course(person)
    if course is None:
        return None
    return first([e for e in counting_purchases(person) if has_course(e, course)])


def evidence(events: Iterable[Event]) -> list[Event]:
    """Each once, in the order of events."""
    return sorted({e.key: e for e in events}.values(), key=lambda e: e.order)


# --------------------------------------------------------------------------------------------
# Section 4.3: JSON


def cash_lines(person: Person) -> list[Line]:
    """`post-training/1...n`, then `survey/1...n` by the scheme, and those that it lacks and that
    a disbursement event in view names, in their place."""
    lines: list[Line] = []
    for component in (POST_TRAINING, SURVEY):
        by_scheme = range(1, person.scheme.instalments(component) + 1)
        named = {e.line[1] for e in person.events if e.line and e.line[0] == component}
        lines += [(component, number) for number in sorted({*by_scheme, *named})]
    return lines


def statement_lines(person: Person) -> list[StatementLine]:
    """All lines of one participant."""
    return [training_line(person), *(cash_line(person, line) for line in cash_lines(person))]


def compact(value: Json) -> str:
    """Compact JSON; characters are not escaped unless JSON asks for it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def evidence_json(events: Iterable[Event]) -> Json:
    """The `source` and `id` of these events."""
    return [{"source": e.source, "id": e.id} for e in evidence(events)]


def iso(day: date | None) -> str | None:
    """A date as JSON holds it."""
    return None if day is None else day.isoformat()


def line_json(line: StatementLine) -> Json:
    """One line, keys in the order of 4.3."""
    facts = line.facts + [event for _, _, events in line.causes for event in events]
    return {
        "line": line.line,
        "amount": line.amount,
        "status": line.status,
        **{name: getattr(line, name) for name in AMOUNTS},
        "earned_on": iso(line.earned_on),
        "due_on": iso(line.due_on),
        "overdue_working_days": line.overdue_working_days,
        "cause": line.causes[0][0] if line.causes else None,
        "owner": line.causes[0][1] if line.causes else None,
        "causes": [code for code, _, _ in line.causes],
        "evidence": evidence_json(facts),
    }


def statement_json(person: Person, view: View) -> Json:
    """One participant, keys in the order of 4.3."""
    lines = statement_lines(person)
    totals = {name: sum(getattr(line, name) for line in lines) for name in AMOUNTS}
    return {
        "participant": person.id,
        "wave": person.wave,
        "scheme": person.scheme.id,
        "standing": "revoked" if standing_revocation(person.events) else "active",
        "as_of": iso(view.as_of),
        "known_at": format_known_at(view.known_at),
        "totals": {"entitlement": sum(line.amount for line in lines), **totals},
        "lines": [line_json(line) for line in lines],
    }


def check_json(history: History) -> bytes:
    """The bytes of `check --json`."""
    answer = {
        "recorded": len(history.recorded),
        "duplicates": history.duplicates,
        "quarantined": len(history.quarantined),
        "lines": [[number, code] for number, code in history.quarantined],
    }
    return compact(answer).encode() + b"\n"


def judged_statements(
    history: History, as_of: str, known_at: str | None, holidays: Path | None
) -> tuple[list[Json], list[str]]:
    """The statements that stand, and the participants whose statement is a calendar error."""
    view = view_of(history, as_of, known_at, holidays)
    answers: list[Json] = []
    errors: list[str] = []
    for person in persons(view):
        try:
            answers.append(statement_json(person, view))
        except CalendarError:
            errors.append(person.id)
    return answers, errors


def statements(
    history: History, as_of: str, known_at: str | None, *, holidays: Path | None = None
) -> bytes:
    """The bytes of `statement --json`: one object per participant, ordered by participant id."""
    answers, _ = judged_statements(history, as_of, known_at, holidays)
    return b"".join(compact(answer).encode() + b"\n" for answer in answers)


def calendar_errors(
    history: History, as_of: str, known_at: str | None, *, holidays: Path | None = None
) -> list[str]:
    """The participants whose statement needs a working day outside the list, by id."""
    return judged_statements(history, as_of, known_at, holidays)[1]


# --------------------------------------------------------------------------------------------
# Section 5: findings


@dataclass(frozen=True)
class Finding:
    """A fact that breaks a rule."""

    code: str
    subject: str
    day: date
    amount: int | None
    detail: Data
    events: list[Event]


@dataclass(frozen=True)
class Scene:
    """The events in view of participants who have a statement, of packages, the programme."""

    view: View
    persons: list[Person]

    def everyones(self, kind: str) -> list[tuple[Person, Event]]:
        """All participants' events of a kind, in the order of events."""
        pairs = [(person, e) for person in self.persons for e in person.of(kind)]
        return sorted(pairs, key=lambda pair: pair[1].order)

    def offers(self) -> list[Event]:
        """The offer of each package: where K hides a void, the first counts."""
        offers = [e for e in self.view.events if e.kind == "package-offered"]
        return [e for e in offers if e is self.offer(e.subject)]

    def offer(self, package: str) -> Event | None:
        """The offer of one package, in view."""
        offers = (e for e in self.view.events if e.kind == "package-offered")
        return first([e for e in offers if e.subject == package])


def package_bundles_courses(scene: Scene) -> list[Finding]:
    """An offered package has >= 2 courses. Letter S-148, finding 1."""
    found: list[Finding] = []
    for offer in scene.offers():
        courses = offer.data["courses"]
        if len(courses) < 2:
            continue
        institutions = {item["institution"] for item in courses}
        detail = {"courses": len(courses), "institutions": len(institutions)}
        found.append(
            Finding(
                "PACKAGE_BUNDLES_COURSES",
                offer.subject,
                offer.day,
                offer.data["price"],
                detail,
                [offer],
            )
        )
    return found


def course_not_evaluable(scene: Scene) -> list[Finding]:
    """A course of an offered package was never purchased outside a package by anyone by any
    method, and has no rating by anyone. Finding 4."""
    alone = {
        item["course"]
        for _, e in scene.everyones("training-purchased")
        if "package" not in e.data
        for item in e.data["courses"]
    }
    rated = {e.data["course"] for _, e in scene.everyones("course-rated")}
    offered = {item["course"] for offer in scene.offers() for item in offer.data["courses"]}
    found: list[Finding] = []
    for course in offered - alone - rated:
        offers = [offer for offer in scene.offers() if has_course(offer, course)]
        detail = {"packages": sorted(offer.subject for offer in offers)}
        found.append(Finding("COURSE_NOT_EVALUABLE", course, offers[0].day, None, detail, offers))
    return found


def package_other_platform(scene: Scene, person: Person) -> list[Finding]:
    """A purchase by a platform other than its package's offer names."""
    found: list[Finding] = []
    for purchase in package_purchases(person):
        data = purchase.data
        offer = scene.offer(data["package"])
        if offer is None or offer.data["platform"] == data["platform"]:
            continue
        detail = {name: data[name] for name in ("purchase", "package", "platform")}
        detail["offered_by"] = offer.data["platform"]
        found.append(
            Finding(
                "PACKAGE_OTHER_PLATFORM",
                person.id,
                purchase.day,
                data["price"],
                detail,
                [purchase, offer],
            )
        )
    return found


def package_purchases(person: Person) -> list[Event]:
    """Purchases of packages, by any method, refunded or not."""
    return [e for e in person.of("training-purchased") if "package" in e.data]


def counting_package_purchases(person: Person) -> list[Event]:
    """Package purchases that count."""
    return [e for e in package_purchases(person) if counts(person, e)]


def earliest_stop(person: Person, platform: str) -> Event | None:
    """The stop with the earliest `effective` that names the platform.

    AMBIGUOUS: of two stops with the same `effective`, the first in the order of events.
    """
    stops = [
        e
        for e in person.programme
        if e.kind == "package-sales-stopped" and platform in e.data["platforms"]
    ]
    return min(stops, key=lambda e: (e.data["effective"], e.order), default=None)


def package_sold_after_stop(person: Person) -> list[Finding]:
    """A purchase with `package` and method `prakerja`, refunded or not, dated >= the earliest
    `effective` of a stop naming its platform."""
    found: list[Finding] = []
    for purchase in package_purchases(person):
        data, stop = purchase.data, earliest_stop(person, purchase.data["platform"])
        if stop is None or data["method"] != "prakerja":
            continue
        if purchase.day < parse_date(stop.data["effective"]):
            continue
        detail = {name: data[name] for name in ("purchase", "package", "platform")}
        detail |= {name: stop.data[name] for name in ("notice", "effective")}
        found.append(
            Finding(
                "PACKAGE_SOLD_AFTER_STOP",
                person.id,
                purchase.day,
                data["price"],
                detail,
                [purchase, stop],
            )
        )
    return found


def open_courses(person: Person, purchase: Event, day: date) -> list[str]:
    """The courses of a purchase that were not completed (by date), sorted."""
    courses: list[str] = [item["course"] for item in purchase.data["courses"]]
    completions = {course: first_completion(person, course) for course in courses}
    return sorted(c for c, done in completions.items() if done is None or done.day > day)


def finished_on(person: Person, purchase: Event) -> date | None:
    """Date of the last completion, or null."""
    courses = [item["course"] for item in purchase.data["courses"]]
    done = present(*(first_completion(person, course) for course in courses))
    return max(e.day for e in done) if len(done) == len(courses) else None


def cash_before_package_done(person: Person) -> list[Finding]:
    """A settlement dated on or after a counting package purchase, at which a course of that
    purchase was not completed (by date). Still listed once finished. Finding 2.

    Amount: "cash settled up to D, returns not deducted", all of the participant's.
    """
    settled = person.of("disbursement-settled")
    found: list[Finding] = []
    for purchase in counting_package_purchases(person):
        early = [
            e for e in settled if e.day >= purchase.day and open_courses(person, purchase, e.day)
        ]
        if not early:
            continue
        detail = {
            "purchase": purchase.data["purchase"],
            "package": purchase.data["package"],
            "open": open_courses(person, purchase, early[0].day),
            "finished_on": iso(finished_on(person, purchase)),
        }
        found.append(
            Finding(
                "CASH_BEFORE_PACKAGE_DONE",
                person.id,
                early[0].day,
                sum(e.amount for e in settled),
                detail,
                [purchase, early[0]],
            )
        )
    return found


def course_unrated(person: Person) -> list[Finding]:
    """A course of a counting package purchase is completed, and not all three dimensions are
    rated. Finding 3."""
    found: list[Finding] = []
    for purchase in counting_package_purchases(person):
        for item in purchase.data["courses"]:
            completion = first_completion(person, item["course"])
            rated = {name for e in ratings(person, item["course"]) for name in e.data}
            missing = [name for name in DIMENSIONS if name not in rated]
            if completion is None or not missing:
                continue
            detail = {
                "purchase": purchase.data["purchase"],
                "course": item["course"],
                "institution": item["institution"],
                "platform": purchase.data["platform"],
                "missing": missing,
            }
            found.append(
                Finding(
                    "COURSE_UNRATED",
                    person.id,
                    completion.day,
                    None,
                    detail,
                    [purchase, completion],
                )
            )
    return found


def balance_overspent(person: Person) -> list[Finding]:
    """Dated: the first purchase after which spent so far (counting purchases less their refunds,
    in order) exceeded the balance."""
    excess = training_line(person).overpaid
    if excess <= 0:
        return []
    facts = evidence(counting_purchases(person) + counting_refunds(person))
    spent = 0
    for event in facts:
        if event.kind == "purchase-refunded":
            spent -= event.data["amount"]
            continue
        spent += event.data["price"]
        if spent > person.scheme.training_balance:
            return [Finding("BALANCE_OVERSPENT", person.id, event.day, excess, {}, facts)]
    raise AssertionError("more was spent than the balance, but at no purchase")


def first_purchase_late(person: Person) -> list[Finding]:
    """No counting purchase dated <= enrolment date + the scheme's days, and not standing revoked
    at D. Dated: the day after that limit."""
    try:
        limit = person.enrolled.day + timedelta(days=person.scheme.first_purchase_within)
        day = limit + timedelta(days=1)
    except OverflowError:
        return []  # a limit after the last day there is
    bought = counting_purchases(person)
    in_time = any(e.day <= limit for e in bought)
    if in_time or standing_revocation(person.events):
        return []
    events = [person.enrolled, *bought[:1]]
    detail = {"limit": iso(limit)}
    return [Finding("FIRST_PURCHASE_LATE", person.id, day, None, detail, events)]


def settlement_finding(
    code: str, person: Person, settlement: Event, extra: Data, events: Sequence[Event]
) -> Finding:
    """A finding per settlement: its amount, `line`, `disbursement`."""
    assert settlement.line is not None
    disbursement = settlement.data["disbursement"]
    detail = {"line": line_name(settlement.line), "disbursement": disbursement, **extra}
    return Finding(
        code, person.id, settlement.day, settlement.amount, detail, [settlement, *events]
    )


def paid_unearned(person: Person) -> list[Finding]:
    """A settlement on a line that is not earned as of D, or dated before its earned date."""
    found: list[Finding] = []
    for settlement in person.of("disbursement-settled"):
        assert settlement.line is not None
        earned = earned_on(person, settlement.line)
        early = earned is not None and settlement.day < earned
        if early or not is_earned(person, settlement.line):
            extra = {"earned_on": iso(earned)}
            found.append(settlement_finding("PAID_UNEARNED", person, settlement, extra, []))
    return found


def paid_twice(person: Person) -> list[Finding]:
    """A line has p > a, and >= 2 settlements. Dated: its last settlement."""
    found: list[Finding] = []
    for line in cash_lines(person):
        settled = settlements(person, line)
        excess = left_over(line_events(person, line)) - person.scheme.amount(line)
        if excess > 0 and len(settled) >= 2:
            detail = {"line": line_name(line)}
            day = settled[-1].day
            found.append(Finding("PAID_TWICE", person.id, day, excess, detail, settled))
    return found


def paid_after_revocation(person: Person) -> list[Finding]:
    """A settlement dated after the date of the revocation by which the participant then stood
    revoked."""
    found: list[Finding] = []
    for settlement in person.of("disbursement-settled"):
        revocation = standing_revocation(person.before(settlement))
        if revocation is not None and settlement.day > revocation.day:
            found.append(
                settlement_finding("PAID_AFTER_REVOCATION", person, settlement, {}, [revocation])
            )
    return found


def paid_without_verified_account(person: Person) -> list[Finding]:
    """At a settlement (order of events) no linked account stood verified."""
    code = "PAID_WITHOUT_VERIFIED_ACCOUNT"
    return [
        settlement_finding(code, person, settlement, {}, [])
        for settlement in person.of("disbursement-settled")
        if not account_state(person.before(settlement)).stands_verified()
    ]


def paid_to_other_account(person: Person) -> list[Finding]:
    """A settlement of an instruction in view that names an account other than the one then
    linked, or when none is linked.

    AMBIGUOUS: "then" is at the settlement; an instruction that names no account is no finding.
    """
    found: list[Finding] = []
    for settlement in person.of("disbursement-settled"):
        link = account_state(person.before(settlement)).link
        for instruction in person.of("disbursement-instructed"):
            if instruction.data["disbursement"] != settlement.data["disbursement"]:
                continue
            account = instruction.data.get("account")
            if account is None or (link is not None and link.data["account"] == account):
                continue
            extra = {"account": account}
            events = present(instruction, link)
            found.append(
                settlement_finding("PAID_TO_OTHER_ACCOUNT", person, settlement, extra, events)
            )
    return found


def settled_after_failure(person: Person) -> list[Finding]:
    """A settlement of a disbursement that had failed before it."""
    found: list[Finding] = []
    for settlement in person.of("disbursement-settled"):
        failures = [
            e
            for e in person.before(settlement)
            if e.kind == "disbursement-failed"
            and e.data["disbursement"] == settlement.data["disbursement"]
        ]
        if failures:
            found.append(
                settlement_finding("SETTLED_AFTER_FAILURE", person, settlement, {}, failures[:1])
            )
    return found


def instructed_unduly(person: Person) -> list[Finding]:
    """An instruction with at least one reason, and for each reason the events that show it."""
    found: list[Finding] = []
    for instruction in person.of("disbursement-instructed"):
        reasons = undue_reasons(person, instruction)
        if not reasons:
            continue
        assert instruction.line is not None
        detail = {
            "line": line_name(instruction.line),
            "disbursement": instruction.data["disbursement"],
            "why": [reason for reason, _ in reasons],
        }
        events = [instruction, *(event for _, shown in reasons for event in shown)]
        found.append(
            Finding(
                "INSTRUCTED_UNDULY",
                person.id,
                instruction.day,
                instruction.amount,
                detail,
                events,
            )
        )
    return found


def undue_reasons(person: Person, instruction: Event) -> list[tuple[str, list[Event]]]:
    """`over-amount`, `already-paid`, `in-flight`, `not-earned`, `revoked` (in this order)."""
    line = instruction.line
    assert line is not None
    amount, earned = person.scheme.amount(line), earned_on(person, line)
    before = [e for e in person.before(instruction) if e.line == line]
    revocation = standing_revocation(person.before(instruction))
    reasons: list[tuple[str, list[Event]]] = []
    if instruction.amount > amount:
        reasons.append(("over-amount", []))
    if left_over(before) >= amount:
        settled = [e for e in before if e.kind == "disbursement-settled"]
        reasons.append(("already-paid", settled))
    instructions = [e for e in before if e.kind == "disbursement-instructed"]
    still_open = [e for e in instructions if not has_outcome(e, before)]
    if still_open:
        reasons.append(("in-flight", still_open))
    if not is_earned(person, line) or (earned is not None and earned > instruction.day):
        reasons.append(("not-earned", []))
    if revocation is not None:
        reasons.append(("revoked", [revocation]))
    return reasons


def shared_account(scene: Scene) -> list[Finding]:
    """One (`provider`, `account`) was linked by >= 2 participants."""
    first_links: dict[tuple[str, str], dict[str, Event]] = {}
    for person, link in scene.everyones("account-linked"):
        account = (link.data["provider"], link.data["account"])
        first_links.setdefault(account, {}).setdefault(person.id, link)
    found: list[Finding] = []
    for (provider, token), by_person in first_links.items():
        detail = {"provider": provider, "account": token, "participants": len(by_person)}
        for own, dating, events in shared_by(list(by_person.values())):
            found.append(Finding("SHARED_ACCOUNT", own.subject, dating.day, None, detail, events))
    return found


def shared_by(firsts: list[Event]) -> list[tuple[Event, Event, list[Event]]]:
    """For each owner's first event of >= 2: that event, the one that dates the finding ("the
    later of its own ... and the second"), and the evidence ("its own first event and the first
    of the others")."""
    firsts = sorted(firsts, key=lambda e: e.order)
    if len(firsts) < 2:
        return []
    return [
        (
            own,
            max(own, firsts[1], key=lambda e: e.order),
            [own, next(e for e in firsts if e is not own)],
        )
        for own in firsts
    ]


def duplicate_certificate(scene: Scene) -> list[Finding]:
    """One certificate number on >= 2 (participant, course) pairs."""
    by_number: dict[str, list[Event]] = {}
    for person, issue in scene.everyones("certificate-issued"):
        if issue is first_certificate(person, issue.data["course"]):
            by_number.setdefault(issue.data["certificate"], []).append(issue)
    found: list[Finding] = []
    for number, issues in by_number.items():
        for own, dating, events in shared_by(issues):
            detail = {
                "course": own.data["course"],
                "certificate": number,
                "pairs": len(issues),
            }
            found.append(
                Finding("DUPLICATE_CERTIFICATE", own.subject, dating.day, None, detail, events)
            )
    return found


def certificate_before_completion(person: Person) -> list[Finding]:
    """Certificate before its course's completion, or no completion."""
    found: list[Finding] = []
    for issue in person.of("certificate-issued"):
        course = issue.data["course"]
        completion = first_completion(person, course)
        if issue is not first_certificate(person, course):
            continue
        if completion is not None and completion.order < issue.order:
            continue
        found.append(
            Finding(
                "CERTIFICATE_BEFORE_COMPLETION",
                person.id,
                issue.day,
                None,
                {"course": course, "certificate": issue.data["certificate"]},
                present(issue, completion),
            )
        )
    return found


def survey_out_of_order(person: Person) -> list[Finding]:
    """Survey n submitted (in time or not) while one before it was not.

    AMBIGUOUS: "while" is at that submission, in the order of events.
    """
    found: list[Finding] = []
    for submission in person.of("survey-submitted"):
        number = submission.data["survey"]
        if submission is not submissions(person, number)[0]:
            continue
        earlier = {
            e.data["survey"] for e in person.before(submission) if e.kind == "survey-submitted"
        }
        if set(range(1, number)) - earlier:
            found.append(
                Finding(
                    "SURVEY_OUT_OF_ORDER",
                    person.id,
                    submission.day,
                    None,
                    {"survey": number},
                    [submission],
                )
            )
    return found


def wave_outside_scheme(person: Person) -> list[Finding]:
    """The wave that holds is not in the range of the scheme that holds."""
    last = person.scheme.last_wave
    if person.scheme.first_wave <= person.wave and (last is None or person.wave <= last):
        return []
    detail = {"wave": person.wave, "scheme": person.scheme.id}
    events = present(person.enrolled, person.correction)
    return [Finding("WAVE_OUTSIDE_SCHEME", person.id, person.enrolled.day, None, detail, events)]


def reported_late(person: Person) -> list[Finding]:
    """`recordedtime` is dated on or after the 10th working day after its `time`.

    AMBIGUOUS: where that day is outside the holiday list, nothing can be said, and nothing is.
    """
    found: list[Finding] = []
    for event in person.of("course-completed", "certificate-issued", "course-rated"):
        try:
            tenth = person.calendar.after(event.day, 10)
        except CalendarError:
            continue
        if wib_date(event.recorded) >= tenth:
            detail = {"type": event.kind, "course": event.data["course"]}
            found.append(Finding("REPORTED_LATE", person.id, tenth, None, detail, [event]))
    return found


PER_SCENE: tuple[Callable[[Scene], list[Finding]], ...] = (
    package_bundles_courses,
    course_not_evaluable,
    shared_account,
    duplicate_certificate,
)
PER_PERSON: tuple[Callable[[Person], list[Finding]], ...] = (
    package_sold_after_stop,
    cash_before_package_done,
    course_unrated,
    balance_overspent,
    first_purchase_late,
    paid_unearned,
    paid_twice,
    paid_after_revocation,
    paid_without_verified_account,
    paid_to_other_account,
    settled_after_failure,
    instructed_unduly,
    certificate_before_completion,
    survey_out_of_order,
    wave_outside_scheme,
    reported_late,
)


def sort_key(finding: Finding) -> tuple[Any, ...]:
    """(`date`, `subject`, `code`, detail as compact UTF-8 JSON by code point, evidence in the
    order of events)."""
    orders = [event.order for event in evidence(finding.events)]
    return (finding.day, finding.subject, finding.code, compact(finding.detail), orders)


def all_findings(scene: Scene) -> list[Finding]:
    """Listed when `date` <= D, sorted."""
    found = [finding for rule in PER_SCENE for finding in rule(scene)]
    for person in scene.persons:
        found += package_other_platform(scene, person)
        found += [finding for rule in PER_PERSON for finding in rule(person)]
    return sorted((f for f in found if f.day <= scene.view.as_of), key=sort_key)


def finding_json(finding: Finding) -> Json:
    """Each has `code`, `subject`, `date`, `amount`, `detail` and `evidence`."""
    return {
        "code": finding.code,
        "subject": finding.subject,
        "date": iso(finding.day),
        "amount": finding.amount,
        "detail": finding.detail,
        "evidence": evidence_json(finding.events),
    }


def findings(
    history: History, as_of: str, known_at: str | None, *, holidays: Path | None = None
) -> bytes:
    """The bytes of `findings --json`.

    AMBIGUOUS: a participant whose statement is a calendar error still has one ("whose `enrolled`
    is not in view has no statement" is the only case of none), so its findings are listed.
    """
    view = view_of(history, as_of, known_at, holidays)
    found = all_findings(Scene(view, persons(view)))
    return b"".join(compact(finding_json(f)).encode() + b"\n" for f in found)


# --------------------------------------------------------------------------------------------
# The command line


def lines_of(path: Path) -> list[bytes]:
    """The lines of a `.jsonl` or `.jsonl.gz` file; only LF ends a line."""
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.name.endswith(".gz") else raw).split(b"\n")


def today() -> str:
    """Without `--as-of`: today in WIB."""
    return (datetime.now(UTC) + timedelta(seconds=WIB_SECONDS)).date().isoformat()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the bytes that the command of the same name prints with `--json`."""
    parser = argparse.ArgumentParser(description="The contract, read literally.")
    parser.add_argument("command", choices=["check", "statement", "findings"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--as-of", default=today())
    parser.add_argument("--known-at")
    parser.add_argument("--holidays", type=Path)
    given = parser.parse_args(arguments)
    history = read(lines_of(given.file))
    view = (history, given.as_of, given.known_at)
    if given.command == "check":
        sys.stdout.buffer.write(check_json(history))
    elif given.command == "findings":
        sys.stdout.buffer.write(findings(*view, holidays=given.holidays))
    else:
        sys.stdout.buffer.write(statements(*view, holidays=given.holidays))
        for participant in calendar_errors(*view, holidays=given.holidays):
            print(f"{participant}: extend the holiday list", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
