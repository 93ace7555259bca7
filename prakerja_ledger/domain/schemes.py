"""The schemes: what a participant may receive, by when, under which rule of which source.

Dated, cited data. A later scheme is another value, not another branch: the rules of the statement
read these fields and know no scheme by name. An embedding programme adds its own with
`Programme.registering`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Final

from attrs import Attribute, evolve, field, frozen

from prakerja_ledger.domain.calendar import WorkingCalendar
from prakerja_ledger.domain.errors import UnknownScheme
from prakerja_ledger.domain.fields import (
    Validator,
    is_day,
    is_integer,
    is_made_of,
    is_money,
    is_name,
    or_absent,
    wrong,
)
from prakerja_ledger.domain.holidays import INDONESIA
from prakerja_ledger.domain.phrases import Phrase

Line = str
"""`training`, `post-training/1` … or `survey/1` …: one amount of one participant."""

TRAINING: Final[Line] = "training"
POST_TRAINING: Final = "post-training"
SURVEY: Final = "survey"
FIRST_INCENTIVE: Final[Line] = f"{POST_TRAINING}/1"


@lru_cache(maxsize=1 << 10)  # one text for each line, not one for each of a million disbursements
def line_of(component: str, instalment: int) -> Line:
    """The line that an instalment of a component is paid on."""
    return f"{component}/{instalment}"


@frozen
class Instalments:
    """So many payments of one amount. Raises InvalidField."""

    count: int = field(validator=is_integer(0))
    each: int = field(kw_only=True, validator=is_money(at_least=0))
    """Whole rupiah."""


_are_instalments: Final[Validator] = is_made_of(
    Instalments, Phrase("Instalments(count, each=rupiah)")
)
_may_be_a_day: Final[Validator] = or_absent(is_day)


def _are_texts(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(one, str) for one in value):
        raise wrong(attribute.name, value, Phrase("a tuple of texts"))


@frozen(kw_only=True, slots=False)
class Scheme:
    """One scheme. Amounts are whole rupiah; a None cut-off means that the scheme has none.

    Raises InvalidField.
    """

    id: str = field(validator=is_name)
    waves: range = field(
        validator=is_made_of(range, Phrase("a range of waves, such as range(72, 80)"))
    )
    """The intake waves it was made for; an open end is a very long range."""
    training_balance: int = field(validator=is_money(at_least=0))
    """To be spent on courses, never paid out."""
    post_training: Instalments = field(validator=_are_instalments)
    """Cash after the first course."""
    survey: Instalments = field(validator=_are_instalments)
    """Cash for evaluation surveys."""
    payment_window_working_days: int = field(validator=is_integer(0))
    """From the day a post-training line is earned until it is due."""
    survey_payment_days: int = field(validator=is_integer(0))
    """Calendar days from the day a survey line is earned until it is due."""
    first_purchase_days: int = field(validator=is_integer(0))
    """Calendar days from the enrolment within which the first purchase is to be made."""
    first_course_by: date | None = field(default=None, validator=_may_be_a_day)
    """The last day, in WIB, to have completed a first course; after it cash not paid is forfeited."""
    surveys_by: date | None = field(default=None, validator=_may_be_a_day)
    """The last day to have submitted surveys; after it the lines that lack one are forfeited."""
    account_linked_by: date | None = field(default=None, validator=_may_be_a_day)
    """The day at whose end an account must stand linked; else cash not paid is forfeited after it."""
    training_used_by: date | None = field(default=None, validator=_may_be_a_day)
    """The last day to spend the training balance; what is left is forfeited."""
    sources: tuple[str, ...] = field(default=(), validator=_are_texts)
    """Where the numbers come from: decrees, and notices of the programme office."""

    @property
    def total(self) -> int:
        """The entitlement: everything a participant can receive."""
        cash = (self.post_training, self.survey)
        return self.training_balance + sum(part.count * part.each for part in cash)

    def instalments(self, component: str) -> Instalments:
        """The instalments of `post-training` or `survey`."""
        return self.post_training if component == POST_TRAINING else self.survey

    @cached_property
    def cash_lines(self) -> Mapping[Line, tuple[str, int, int]]:
        """Each cash line in order, with its component, instalment and amount."""
        return {
            line_of(component, n): (component, n, self.instalments(component).each)
            for component in (POST_TRAINING, SURVEY)
            for n in range(1, self.instalments(component).count + 1)
        }


_NO_LAST_WAVE: Final = 1 << 53

SEMI_BANSOS_2020: Final = Scheme(
    id="semi-bansos-2020",
    waves=range(1, 12),
    training_balance=1_000_000,
    post_training=Instalments(4, each=600_000),
    survey=Instalments(3, each=50_000),
    payment_window_working_days=7,
    survey_payment_days=14,
    first_purchase_days=30,
    first_course_by=date(2020, 12, 15),
    surveys_by=date(2020, 12, 15),
    account_linked_by=date(2021, 3, 4),
    training_used_by=date(2020, 12, 15),
    sources=(
        "Permenko 11/2020 art. 17-20",
        "programme office, notice of 3 December 2020 (first course and surveys by 15 December)",
        "programme office, notice of 3 March 2021 (last linking date, 4 March 2021)",
    ),
)
SEMI_BANSOS_2021: Final = evolve(
    SEMI_BANSOS_2020,
    id="semi-bansos-2021",
    waves=range(12, 23),
    payment_window_working_days=5,
    first_course_by=None,
    surveys_by=date(2021, 12, 10),
    account_linked_by=date(2021, 12, 15),
    training_used_by=None,
    sources=(
        "programme office, incentive schedule of October 2021 (3-5 working days)",
        "programme office, notices of December 2021 (surveys 10 December, linking 15 December)",
    ),
)
SEMI_BANSOS_2022: Final = evolve(
    SEMI_BANSOS_2021,
    id="semi-bansos-2022",
    waves=range(23, 48),
    surveys_by=None,
    account_linked_by=None,
    sources=("programme office, report on the year 2022 (1,000,000 + 4 x 600,000 + 150,000)",),
)
NORMAL_2023: Final = evolve(
    SEMI_BANSOS_2022,
    id="normal-2023",
    waves=range(48, 65),
    training_balance=3_500_000,
    post_training=Instalments(1, each=600_000),
    survey=Instalments(2, each=50_000),
    first_purchase_days=15,
    sources=("Perpres 113/2022", "Permenko 17/2022"),
)
NORMAL_2024: Final = evolve(
    NORMAL_2023,
    id="normal-2024",
    waves=range(65, _NO_LAST_WAVE),
    sources=("programme office, announcement of wave 63 and later, 2024",),
)

for _scheme in (SEMI_BANSOS_2020, SEMI_BANSOS_2021, SEMI_BANSOS_2022):
    assert _scheme.total == 3_550_000, "the parts no longer add up to the whole"
for _scheme in (NORMAL_2023, NORMAL_2024):
    assert _scheme.total == 4_200_000, "the parts no longer add up to the whole"


def _check_schemes(schemes: Iterable[object]) -> None:
    """Raise InvalidField unless each is one."""
    for one in schemes:
        if not isinstance(one, Scheme):
            raise wrong("schemes", one, Phrase("a Scheme"))


def _are_schemes(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping):
        raise wrong(attribute.name, value, Phrase("a mapping of each scheme's id to the Scheme"))
    _check_schemes(value.values())


@frozen(kw_only=True)
class Programme:
    """The data that the rules are run with: schemes by id, and the working calendar.

    Raises InvalidField.
    """

    schemes: Mapping[str, Scheme] = field(validator=_are_schemes)
    """Each scheme by its id."""
    calendar: WorkingCalendar = field(
        default=INDONESIA, validator=is_made_of(WorkingCalendar, Phrase("a WorkingCalendar"))
    )

    def scheme(self, scheme_id: str) -> Scheme:
        """The scheme of that id. Raises UnknownScheme."""
        try:
            return self.schemes[scheme_id]
        except (KeyError, TypeError):  # what has no hash is no id either
            known = ", ".join(self.schemes)
            raise UnknownScheme(scheme=scheme_id, known=known) from None

    def registering(self, *schemes: Scheme) -> Programme:
        """The same programme with further schemes; one of a known id replaces it. Raises InvalidField."""
        _check_schemes(schemes)
        return evolve(self, schemes={**self.schemes, **{scheme.id: scheme for scheme in schemes}})


def check_programme(value: object) -> None:
    """Raise InvalidField unless a value is a programme."""
    if not isinstance(value, Programme):
        raise wrong("programme", value, Phrase("a Programme, such as KARTU_PRAKERJA"))


KARTU_PRAKERJA: Final = Programme(
    schemes={
        scheme.id: scheme
        for scheme in (
            SEMI_BANSOS_2020,
            SEMI_BANSOS_2021,
            SEMI_BANSOS_2022,
            NORMAL_2023,
            NORMAL_2024,
        )
    }
)
"""The programme: its five schemes from 2020 on, and the working days of Indonesia."""
