"""An event on its way into a ledger: what a reporter knows, before the ledger has recorded it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from attrs import Attribute, field, frozen

from prakerja_ledger.domain.errors import InvalidField
from prakerja_ledger.domain.facts import FIELD_NAMES, Fact, data_of, type_of
from prakerja_ledger.domain.fields import Validator, is_made_of, is_name, or_absent, wrong
from prakerja_ledger.domain.phrases import Phrase
from prakerja_ledger.domain.time import in_wib, instant_of

_is_said: Validator = is_made_of(
    (str, datetime), Phrase("RFC 3339 with offset, or an aware datetime")
)
"""Whether the text names an instant is judged by who reads the line, wherever it came from."""


def _is_fact(_: object, attribute: Attribute[Any], value: object) -> None:
    if type(value) not in FIELD_NAMES:
        raise wrong(
            attribute.name, value, Phrase("a fact, such as facts.SurveySubmitted(survey=1)")
        )


@frozen(kw_only=True)
class CloudEvent:
    """A CloudEvents 1.0 event that carries a fact.

    `source` and `id` are the idempotency key: choose them so that a retry uses the same ones. They and
    the subject are texts of 1 to 200 characters; both times are RFC 3339 with offset, or an aware
    datetime. Raises InvalidField.
    """

    source: str = field(validator=is_name)
    """Who reports it, such as `//prakerja.go.id`."""
    id: str = field(validator=is_name)
    """Its name there."""
    subject: str = field(validator=is_name)
    """The participant's opaque id; the package's for package facts; `programme` for the programme's."""
    time: str | datetime = field(validator=_is_said)
    """When it happened in the world."""
    fact: Fact = field(validator=_is_fact)
    recordedtime: str | datetime | None = field(default=None, validator=or_absent(_is_said))
    """When the programme learned of it; without one the ledger stamps its own clock."""
    attributes: Mapping[str, Any] = field(
        factory=dict,
        validator=is_made_of(Mapping, Phrase("a mapping, such as {{'traceparent': '00-…'}}")),
    )
    """Kept as they are: traceparent and other extensions of CloudEvents."""

    def as_mapping(self) -> dict[str, Any]:
        """The JSON object that history format 1 holds. Raises InvalidField and InvalidTimestamp."""
        given: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": type_of(self.fact.kind),
            "subject": self.subject,
            "time": _timestamp(self.time),
        }
        if self.recordedtime is not None:
            given["recordedtime"] = _timestamp(self.recordedtime)
        own = {*given, "recordedtime", "data"} & self.attributes.keys()
        if own:
            raise InvalidField(
                field=f"attributes[{min(own)!r}]",
                found=Phrase("one of the event's own attributes"),
                expected=Phrase("only attributes beside them, such as traceparent"),
            )
        return {**given, **self.attributes, "data": data_of(self.fact)}


_encode = msgspec.json.Encoder().encode


def _timestamp(moment: str | datetime) -> str:
    return moment if isinstance(moment, str) else in_wib(instant_of(moment))


Recordable = CloudEvent | Mapping[str, Any] | bytes | str
"""An event as an embedder has it: a CloudEvent, its mapping, or its JSON as it came."""


def as_line(event: Recordable) -> bytes:
    """The event as one line of JSON; what came as JSON stays as it came."""
    if isinstance(event, bytes):
        return event.strip(b" \t\r\n")
    if isinstance(event, str):
        return event.encode("utf-8", "surrogatepass").strip(b" \t\r\n")
    given = event.as_mapping() if isinstance(event, CloudEvent) else event
    if isinstance(event, CloudEvent) and not event.attributes:
        with suppress(UnicodeEncodeError, TypeError):
            return _encode(given)  # the same text, quicker; what it cannot say is told below
    try:
        text = json.dumps(given, ensure_ascii=False, separators=(",", ":"), default=_as_json)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidField(
            field="event",
            found=Phrase("not JSON ({error})", error=str(error)),
            expected=Phrase("JSON values only"),
        ) from None
    return text.encode("utf-8", "surrogatepass")


def _as_json(value: object) -> dict[str, Any]:
    """A mapping of any kind as the one kind that `json` knows."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
