"""Schemes are dated, cited data: a later one is added without touching the rules."""

from __future__ import annotations

from datetime import date

import pytest

from prakerja_ledger.domain.errors import UnknownScheme
from prakerja_ledger.domain.schemes import (
    KARTU_PRAKERJA, Instalments, Programme, Scheme, line_of,
)  # fmt: skip
from prakerja_ledger.reading.statement import Status
from tests.support import (
    bought, certified, completed, enrolled, findings_of, instructed, payable, rated, read, settled,
    statement_of, surveyed, why,
)  # fmt: skip

TABLE = {
    # waves, training, incentives, surveys, total, window, survey days, purchase days, first
    # course by, surveys by, account linked by, training used by
    "semi-bansos-2020": (
        1, 11, 1_000_000, (4, 600_000), (3, 50_000), 3_550_000, 7, 14, 30,
        date(2020, 12, 15), date(2020, 12, 15), date(2021, 3, 4), date(2020, 12, 15),
    ),
    "semi-bansos-2021": (
        12, 22, 1_000_000, (4, 600_000), (3, 50_000), 3_550_000, 5, 14, 30,
        None, date(2021, 12, 10), date(2021, 12, 15), None,
    ),
    "semi-bansos-2022": (
        23, 47, 1_000_000, (4, 600_000), (3, 50_000), 3_550_000, 5, 14, 30,
        None, None, None, None,
    ),
    "normal-2023": (
        48, 64, 3_500_000, (1, 600_000), (2, 50_000), 4_200_000, 5, 14, 15,
        None, None, None, None,
    ),
    "normal-2024": (
        65, 2**53 - 1, 3_500_000, (1, 600_000), (2, 50_000), 4_200_000, 5, 14, 15,
        None, None, None, None,
    ),
}  # fmt: skip
"""Section 3 of the contract, copied a second time: a number changed in one place is seen here."""


def test_the_schemes_are_those_of_the_contract():
    assert {
        name: (
            scheme.waves[0], scheme.waves[-1], scheme.training_balance,
            (scheme.post_training.count, scheme.post_training.each),
            (scheme.survey.count, scheme.survey.each), scheme.total,
            scheme.payment_window_working_days, scheme.survey_payment_days,
            scheme.first_purchase_days, scheme.first_course_by, scheme.surveys_by,
            scheme.account_linked_by, scheme.training_used_by,
        )
        for name, scheme in KARTU_PRAKERJA.schemes.items()
    } == TABLE  # fmt: skip


def test_every_wave_has_exactly_one_scheme():
    waves = [wave for scheme in KARTU_PRAKERJA.schemes.values() for wave in scheme.waves[:100]]
    assert len(set(waves)) == len(waves)
    assert set(range(1, 100)) <= set(waves)


def test_every_scheme_cites_its_sources():
    assert all(scheme.sources for scheme in KARTU_PRAKERJA.schemes.values())


def test_the_cash_lines_of_a_scheme_stand_in_order_with_their_amounts():
    scheme = KARTU_PRAKERJA.scheme("normal-2023")
    assert dict(scheme.cash_lines) == {
        "post-training/1": ("post-training", 1, 600_000),
        "survey/1": ("survey", 1, 50_000),
        "survey/2": ("survey", 2, 50_000),
    }
    assert list(scheme.cash_lines)[0] == line_of("post-training", 1)


def test_an_unknown_scheme_is_an_error_that_names_the_known_ones():
    with pytest.raises(UnknownScheme) as raised:
        KARTU_PRAKERJA.scheme("normal-2025")
    assert str(raised.value) == (
        "scheme normal-2025 is not registered. Known schemes: semi-bansos-2020, semi-bansos-2021, "
        "semi-bansos-2022, normal-2023, normal-2024."
    )


# --- a scheme of one's own ----------------------------------------------------------------------------

VILLAGE = Scheme(
    id="village-2025",
    waves=range(1, 3),
    training_balance=100,
    post_training=Instalments(2, each=10),
    survey=Instalments(5, each=1),
    payment_window_working_days=2,
    survey_payment_days=3,
    first_purchase_days=1,
    surveys_by=date(2025, 3, 31),
    sources=("village regulation 1/2025",),
)
PROGRAMME = KARTU_PRAKERJA.registering(VILLAGE)
LIFE = (
    enrolled("2025-01-06", scheme="village-2025")
    + bought(on="2025-01-07", price=60)
    + completed(on="2025-01-10")
    + certified(on="2025-01-10")
    + rated(on="2025-01-10")
    + payable()
    + instructed(on="2025-01-13", amount=10)
    + settled(on="2025-01-14")
    + surveyed(5, "2025-01-20")
)


def test_a_registered_scheme_gives_statements_by_its_own_numbers():
    """Balance, instalments, windows: no rule knows the scheme by name."""
    made = statement_of(LIFE, "2025-04-01", programme=PROGRAMME)
    assert [(line.line, line.amount, line.status) for line in made.lines] == [
        ("training", 100, Status.OPEN),
        ("post-training/1", 10, Status.PAID),
        ("post-training/2", 10, Status.OVERDUE),
        *((f"survey/{n}", 1, Status.FORFEITED) for n in range(1, 6)),
    ]
    assert made.total("amount") == VILLAGE.total == 125
    assert made.line("post-training/2").due_on == date(2025, 2, 12)
    assert why(made.line("survey/5")) == [("SURVEY_CUT_OFF", "participant")]


def test_a_registered_scheme_rules_what_is_legal():
    assert read(LIFE, PROGRAMME).refusals == {}
    refused = read(LIFE + surveyed(6, "2025-01-21"), PROGRAMME).refusals
    assert [one.code for one in refused.values()] == ["ILLEGAL_MOVE"]


def test_without_registering_it_the_scheme_is_not_known():
    (first, *_) = read(LIFE).refusals.values()
    assert first.code == "INVALID_DATA"


def test_a_registered_scheme_gives_findings_by_its_own_numbers():
    history = enrolled("2025-01-06", wave=3, scheme="village-2025") + bought(
        on="2025-01-08", price=101
    )  # fmt: skip
    assert [one[0] for one in findings_of(history, "2025-12-31", programme=PROGRAMME)] == [
        "WAVE_OUTSIDE_SCHEME", "BALANCE_OVERSPENT", "FIRST_PURCHASE_LATE",
    ]  # fmt: skip


def test_registering_leaves_the_programme_as_it_was():
    assert "village-2025" not in KARTU_PRAKERJA.schemes
    assert list(PROGRAMME.schemes) == [*KARTU_PRAKERJA.schemes, "village-2025"]


def test_registering_a_known_id_replaces_it():
    smaller = KARTU_PRAKERJA.registering(VILLAGE).registering(
        Scheme(**{**{a: getattr(VILLAGE, a) for a in FIELDS}, "training_balance": 1})
    )
    assert smaller.scheme("village-2025").training_balance == 1


FIELDS = (
    "id", "waves", "training_balance", "post_training", "survey", "payment_window_working_days",
    "survey_payment_days", "first_purchase_days", "surveys_by", "sources",
)  # fmt: skip


def test_a_programme_may_have_schemes_of_its_own_only():
    programme = Programme(schemes={VILLAGE.id: VILLAGE})
    assert statement_of(LIFE, "2025-04-01", programme=programme).scheme == "village-2025"
