"""Every number of the simulator, once: what it is, where it comes from, and how sure that is.

*Published* numbers stand in a source, *derived* ones follow from published ones by the arithmetic
shown, *assumed* ones fill a gap that no source closes, chosen so that the published totals come out.
Numbers in brackets are those of `sources`; what stands before them is a section of the project's domain
facts. Waves, quotas and revocations have a table of their own in `waves`.

Shares are exact fractions; a lag is a curve: so much of the people (first number of a knot) have it
done after so many days (second number), evenly between knots.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Final, Generic, TypeVar

from attrs import frozen

from prakerja_ledger.domain.vocabulary import COMPLAINT_OUTCOMES, PLATFORMS, REASONS
from prakerja_ledger.simulating import waves

T = TypeVar("T")
Curve = tuple[tuple[str, float], ...]
"""Knots (share done, days), rising in both."""
Weights = Mapping[str, int]
"""How often each of several things happens, in proportion."""


class Basis(StrEnum):
    """How sure a number is."""

    PUBLISHED = "published"
    DERIVED = "derived"
    ASSUMED = "assumed"


@frozen(kw_only=True)
class Parameter(Generic[T]):
    """One number, or one table of numbers, with its source."""

    value: T
    basis: Basis
    source: str
    """Section and source of the domain facts; of an assumed number the reason for it."""
    meaning: str


def _published(value: T, source: str, meaning: str) -> Parameter[T]:
    return Parameter(value=value, basis=Basis.PUBLISHED, source=source, meaning=meaning)


def _derived(value: T, source: str, meaning: str) -> Parameter[T]:
    return Parameter(value=value, basis=Basis.DERIVED, source=source, meaning=meaning)


def _assumed(value: T, source: str, meaning: str) -> Parameter[T]:
    return Parameter(value=value, basis=Basis.ASSUMED, source=source, meaning=meaning)


def _by_year(*shares: Fraction | str) -> Mapping[str, Fraction]:
    """A share for each scheme, in their order."""
    return {
        scheme: Fraction(share)
        for scheme, share in zip(waves.APPOINTED_BY_YEAR, shares, strict=True)
    }


# --- the funnel -----------------------------------------------------------------------------------

PAID_HEADS_2020: Final = _published(
    5_316_965, "3.1 [93], 8 March 2021", "people of waves 1–11 who received money"
)
PAID_HEADS: Final = _published(
    17_012_345,
    "3.1 [95], August 2024; the page may be a draft",
    "people of waves 1–69 who received money",
)
MEAN_CASH_2020: Final = _published(
    2_510_831, "3.1 and 8: 13.35tn over 5,316,965 heads [93]", "rupiah of cash for each of them"
)
REVOKED_RETURN: Final = _published(
    3_550_000,
    "8.2 [7][8]",
    "rupiah that went back to the state for each one revoked without a purchase",
)

BOUGHT: Final = _derived(
    _by_year(
        Fraction(92, 100),
        Fraction(98, 100),
        1 - waves.REVOKED_2022,
        1 - waves.REVOKED_2023,
        1 - waves.REVOKED_2023,
    ),
    "3.2 and 8: effective over appointed, 92 % in 2020, 98 % in 2021 [103]; from 2022 all who were not revoked [32][62]",
    "share of the appointed who bought a first course; the rest was revoked or did nothing",
)
PAID_OF_FINISHERS: Final = _derived(
    Fraction("0.992"),
    "3.1: paid / finished on 30 October 2020, 4.9m of 4.94m [34]",
    "finishers who end paid",
)


def _bought_of_waves_12_to_69() -> Fraction:
    later = [wave for wave in waves.WAVES if 12 <= wave.number <= 69]
    bought = sum(wave.recipients * BOUGHT.value[wave.scheme] for wave in later)
    return Fraction(bought, sum(wave.recipients for wave in later))


FINISHED: Final = _derived(
    _by_year(
        Fraction(PAID_HEADS_2020.value, waves.APPOINTED_BY_YEAR["semi-bansos-2020"])
        / (BOUGHT.value["semi-bansos-2020"] * PAID_OF_FINISHERS.value),
        *(
            Fraction(
                PAID_HEADS.value - PAID_HEADS_2020.value,
                waves.BY_AUGUST_2024 - waves.APPOINTED_BY_YEAR["semi-bansos-2020"],
            )
            / (_bought_of_waves_12_to_69() * PAID_OF_FINISHERS.value),
        )
        * 4,
    ),
    "3.1: paid heads / appointed / bought / paid of finishers. 2020: 97.3 %, where section 8 says 95 %, "
    "the state of 30 October 2020, six weeks before the cut-off",
    "share of the buyers who finish a first course in time",
)
LATE_BUYERS: Final = _assumed(
    Fraction("0.003"),
    "3.3 gives revocations only",
    "buyers whose first purchase comes after the limit and is let pass",
)
LATE_BUYER_LAG: Final = _assumed(
    (("0", 0.1), ("1", 3)), "before the revocations are run", "days after the limit"
)
AFTER_THE_CUT_OFF: Final = _assumed(
    Fraction("0.03"),
    "1.3 [17]: such people existed",
    "non-finishers of 2020 who finish in the week after 15 December",
)

FIRST_PURCHASE_LAG: Final = _assumed(
    (("0", 0.02), ("0.5", 3.5), ("0.70", 7), ("0.90", 15), ("0.97", 24), ("1", 29)),
    "fits 3.1: bought / appointed 79 % on 10 May [91], 82 % on 15 September [89], 92.9 % on 30 October 2020 [34]",
    "days from appointment to the first purchase, 30-day limit",
)
FIRST_PURCHASE_LAG_15: Final = _assumed(
    (("0", 0.02), ("0.5", 2.5), ("0.8", 7), ("0.97", 13), ("1", 14)),
    "limit of 15 days, 1.3 [28]",
    "the same, 15-day limit",
)
COMPLETION_LAG: Final = _assumed(
    (("0", 0.05), ("0.25", 2), ("0.53", 7), ("0.8", 17), ("0.95", 28), ("1", 50)),
    "fits 3.1: finished / bought 61 % on 10 May [91], 62.5 % on 15 September [89], 95 % on 30 October 2020 [34]; "
    "fastest documented path 13 days, 2.4 D [90]",
    "days from the purchase to its completion",
)

# --- training -------------------------------------------------------------------------------------

PLATFORM_COURSES: Final[Parameter[Weights]] = _published(
    {
        "skill-academy": 62_184,
        "sisnaker": 11_169,
        "bukalapak": 8_466,
        "pintaria": 6_529,
        "tokopedia": 6_356,
        "sekolahmu": 6_337,
        "pijar-mahir": 3_206,
        "maubelajarapa": 2_665,
    },
    "3.4 [97]; taken for all years",
    "courses bought by platform through wave 2",
)
COURSES: Final = _published(
    1_895, "3.6 [51]", "courses sold singly, divided evenly among the platforms"
)
INSTITUTIONS: Final = _published(228, "3.4 [92]", "institutions, courses divided evenly among them")
PRICES: Final = _assumed(
    (("0", 24_000), ("0.10", 100_000), ("0.35", 200_000), ("0.60", 350_000), ("0.78", 600_000),
     ("0.794", 1_000_000), ("1", 1_000_000)),
    "3.4 [97]: cheapest 24,000; dearest 1,000,000, which 22,000 of 106,912 bought",
    "price of a course: share of courses, rupiah",
)  # fmt: skip
NORMAL_PRICE_FACTOR: Final = _assumed(
    2, "1.1 [26]: 15 hours instead of 6", "prices in the normal schemes against these"
)
SECOND_COURSE: Final = _assumed(
    Fraction("0.45"),
    "3.1 [96]: about Rp499,000 spent for each buyer by 9 May 2020; courses a head not found, 3.4",
    "buyers with balance left who buy a second course",
)
SECOND_PURCHASE_LAG: Final = _assumed(
    (("0", 0.1), ("0.6", 12), ("1", 60)), "none found", "days from the first purchase to the second"
)
SECOND_FINISHED: Final = _assumed(
    Fraction("0.8"), "1.3 [18]: nothing depends on it", "second courses that are finished"
)
OVERSPENT: Final = _assumed(
    Fraction("0.0001"), "1.3: not allowed, so rare", "second purchases above the balance"
)
REFUNDED: Final = _assumed(
    Fraction("0.003"), "8.10 [79]: cancelled training", "second purchases that are refunded in full"
)
BOUGHT_ELSEWHERE: Final = _assumed(
    Fraction("0.001"),
    "5: bundles stay on sale for other payment methods [1]",
    "buyers who also buy a package with money of their own",
)
SCORED: Final = _assumed(Fraction("0.8"), "none found", "completions that carry a score")
STARS: Final[Parameter[Weights]] = _assumed(
    {"5": 920, "4": 65, "3": 12, "2": 2, "1": 1},
    "fits the mean rating 4.9, 3.4 [109]",
    "stars of each dimension",
)
RATED_LAG: Final = _assumed(
    (("0", 0.01), ("0.7", 0.5), ("1", 4)), "none found", "days from the completion to the rating"
)
CERTIFICATE_LAG: Final = _assumed(
    (("0", 0.01), ("0.6", 0.5), ("1", 2)),
    "2.4 D [90]",
    "days from the completion to the certificate",
)
CERTIFICATE_TOO_EARLY: Final = _assumed(
    Fraction("0.002"),
    "3.6 [50]: found by the KPK, not counted",
    "first courses until June 2020 certified a day before their completion",
)
CERTIFICATE_TWICE: Final = _assumed(
    Fraction("0.0001"), "none found", "certificates with the number of another participant's"
)

# --- packages (section 5) -------------------------------------------------------------------------

PACKAGES: Final = _assumed(60, "5 [4b]: a small part of thousands of courses", "packages on offer")
PACKAGE_COURSES: Final = _published(
    (4, 6),
    "5 [48][114]: about five each, six in the example [113]",
    "fewest and most courses of a package",
)
PACKAGE_PRICES: Final = _published(
    (168_000, 1_000_000), "5 [48][114]", "cheapest and dearest package"
)
PACKAGE_SHARE: Final = _assumed(
    Fraction("0.10"),
    "5 [4b]: no number is published",
    "first purchases before the stop that are packages",
)
PACKAGES_OFFERED_ON: Final = _assumed(
    date(2020, 3, 20),
    "1.4 [44]: the launch; their own days not found",
    "when the packages went on sale",
)
STOP_ON: Final = _published(
    date(2020, 6, 30), "5 [1][2]: letter S-148/Dir-Eks/06/2020", "when their sale was stopped"
)
STOP_NOTICE: Final = _published("S-148/Dir-Eks/06/2020", "5 [1][2]", "the letter")
SOLD_AFTER_STOP: Final = _assumed(
    Fraction("0.0001"),
    "5: forbidden, so rare",
    "first purchases after the stop that are packages all the same",
)
PACKAGE_OTHER_SELLER: Final = _assumed(
    Fraction("0.002"),
    "none found",
    "package purchases reported by another platform than the one that offers it",
)
NEVER_WITHDRAWN: Final = _assumed(
    6,
    "5 [2]: partners must withdraw them",
    "every how manieth package is not reported as withdrawn",
)
PACKAGE_REST_FINISHED: Final = _assumed(
    Fraction("0.6"),
    "5, finding 2; 3.6 [50]: some were paid without finishing every course, not counted",
    "further courses of a package that are ever finished",
)
PACKAGE_REST_LAG: Final = _assumed(
    (("0", 0.1), ("0.4", 3), ("1", 60)),
    "5 [113]: finishable in a day",
    "days from the first course to such a one",
)
PACKAGE_REST_RATED: Final = _assumed(
    Fraction("0.3"),
    "5, finding 3",
    "finished second courses of a package that are rated (later ones never are: finding 4)",
)

# --- reports --------------------------------------------------------------------------------------

REPORT_LAG: Final = _derived(
    (("0", 0), ("0.15", 1), ("0.65", 2), ("0.90", 3), ("1", 9)),
    "2.3, 8.9 [81][38]: 1 + 1 working days, check up to 7 more; the curve between is assumed",
    "working days from a completion to the programme's record of it",
)
BACKLOG: Final = _derived(
    (date(2020, 5, 11), date(2020, 6, 30)),
    "2.3 [82][83]: half manual in May and June 2020, told on 18 May; the first day is assumed",
    "when reports piled up",
)
BACKLOG_SHARE: Final = _published(
    Fraction(1, 2), "2.3 [82]", "reports of that time that were handled by hand"
)
BACKLOG_LAG: Final = _assumed(
    (("0", 5), ("0.5", 14), ("1", 30)),
    "2.3 [82][83], 2.4 B: weeks; fits the 477,971 finished of 23 June 2020, 3.1 [46]",
    "working days that these took",
)
LOST_REPORT: Final = _assumed(
    Fraction("0.004"),
    "2.3 [80]: graded, but not in the programme's list",
    "reports at other times that take as long",
)
PARTNER_REPORT_LAG: Final = _assumed(
    (("0", 0.003), ("0.9", 0.2), ("1", 1)),
    "2.3: Sisnaker H+1; partners' lag not found",
    "days until a partner's or a platform's other reports arrive",
)
RATED_ON_DASHBOARD_FROM: Final = _published(
    date(2021, 3, 18), "1.2, 1.4 [38]", "from when ratings are given to the programme itself"
)

# --- accounts -------------------------------------------------------------------------------------

WALLETS: Final = _derived(
    Fraction("0.77"), "2.1, 8: the middle of 76–78 % [54][69]", "accounts that are e-wallets"
)
PROVIDERS_SINCE: Final = _published(
    {
        "bni": date(2020, 3, 20),
        "ovo": date(2020, 3, 20),
        "linkaja": date(2020, 3, 20),
        "gopay": date(2020, 4, 15),
        "dana": date(2020, 10, 14),
        "bca": date(2024, 1, 1),
    },
    "2.1 [44][67][54][68]; the start of BCA is not found, it is listed in 2024",
    "partners, each with its first day; wallets share evenly (no split was found), as do banks",
)
LINK_LAG: Final = _assumed(
    (("0", 0.05), ("0.7", 3), ("1", 20)),
    "none found",
    "days from appointment to linking an account",
)
VALIDATION_LAG: Final = _assumed(
    (("0", 0.05), ("0.8", 0.5), ("1", 2)), "1.2 [15][16]", "days from linking to the partner's word"
)
VALIDATION_BACKLOG_UNTIL: Final = _assumed(
    date(2020, 5, 9),
    "fits 3.1: validated / KYC 41.6 % on 9–11 May 2020 [91], 300,000 paid on 19 May [92]",
    "accounts linked before then wait for their word",
)
VALIDATION_BACKLOG_FROM: Final = _assumed(
    date(2020, 4, 29), "the same", "a run that starts that day gives it"
)
VALIDATION_BACKLOG_LAG: Final = _assumed(
    (("0", 1), ("0.14", 5), ("0.15", 12), ("1", 15)),
    "the same, 3.1 [91][92]",
    "days that it takes for each",
)
REJECTED_WAVES_1_TO_3: Final = _derived(
    Fraction(34_000, 680_918),
    "2.3 [36]: about 34,000 held on 3 June 2020 for NIK, KYC or a closed account",
    "accounts rejected at first, waves 1–3",
)
REJECTED: Final = _assumed(
    Fraction("0.02"), "2.3: no later count", "accounts rejected at first, later waves"
)
REJECTION_REASONS: Final[Parameter[Weights]] = _assumed(
    {"not-kyc": 45, "nik-mismatch": 35, "account-closed": 10, "name-mismatch": 10},
    "2.3 [36]: one total, not split",
    "why",
)
REJECTION_MENDED: Final = _assumed(
    Fraction("0.95"), "fits paid / finished 99.2 %, 3.1", "rejections that the participant mends"
)
MENDING_LAG: Final = _assumed((("0", 1), ("0.6", 12), ("1", 40)), "1.4 [36]", "days that it takes")
RELINKING_FROM: Final = _published(
    date(2020, 9, 19), "1.4 [43][36]", "from when an account can be disconnected and another linked"
)
CHANGED_ACCOUNT: Final = _assumed(
    Fraction("0.01"), "2.3 [37]", "the paid who change their account after the second payment"
)
NEVER_LINKED: Final = _assumed(
    Fraction("0.002"), "fits paid / finished 99.2 %, 3.1", "buyers who never link an account"
)
NEVER_LINKED_BY_IDLE: Final = _assumed(
    Fraction("0.4"), "none found", "the same, of those who never buy"
)
NEVER_ANSWERED: Final = _assumed(
    Fraction("0.001"), "the same", "accounts on which the partner never says a word"
)
NEVER_RATED: Final = _assumed(
    Fraction("0.002"), "the same; 2.3 [16][84]", "finishers without a rating"
)
NEVER_REVIEWED: Final = _assumed(
    Fraction("0.002"), "the same", "finishers whose rating has no review"
)
SHARED_ACCOUNT: Final = _assumed(
    Fraction("0.0005"),
    "2.3 [85]: suspected, not counted",
    "accounts that are another participant's too",
)

# --- payments -------------------------------------------------------------------------------------

FAILURES: Final = _published(
    Fraction("0.004"), "2.3, 8 [86]: 0.4 % of transfers on 25 September 2020", "transfers that fail"
)
FAILURE_REASONS: Final[Parameter[Weights]] = _assumed(
    {
        "phone-changed": 40,
        "account-not-found": 12,
        "account-blocked": 10,
        "not-kyc": 10,
        "account-closed": 8,
        "wallet-limit": 8,
        "technical": 7,
        "partner-rejected": 3,
        "unknown": 2,
    },
    "2.3 [86]: a changed phone number is the main cause; no counts",
    "why",
)
RETRIED: Final = _assumed(
    Fraction("0.93"),
    "2.2 [37][74]: held money will be rescheduled",
    "failed or returned transfers that are sent again",
)
RETRY_WORKING_DAYS: Final = _assumed(
    (4, 10), "none found", "fewest and most working days until then"
)
RETURNED: Final = _assumed(
    Fraction("0.001"), "none found", "settled transfers that the bank sends back"
)
LOST_OUTCOME: Final = _assumed(
    Fraction("0.0002"), "none found", "instructions of which no outcome is ever reported"
)
FAILED_AND_SETTLED: Final = _assumed(
    Fraction("0.01"), "none found", "failures that the bank takes back: the money arrived after all"
)
SCHEDULING_WORKING_DAYS: Final = _derived(
    (1, 2),
    "1.2 [15][16]: schedule after 1 x 24 h",
    "from what makes a payment possible to its instruction",
)
TRANSFER_WORKING_DAYS: Final = _derived(
    (2, 3),
    "1.2 [15][16]: 3–5 working days in all",
    "from the instruction to the settlement",
)
LATER_INCENTIVES_DAYS: Final = _assumed(
    7, "1.2: offset not found", "least days between two instructed incentives"
)
HOLD: Final = _derived(
    (date(2020, 6, 9), date(2020, 6, 25)),
    "1.4 [13][45][46]; the first day is not published, but payments due on 10 June were missed",
    "first and last day of the payment hold",
)
AFTER_HOLD_WORKING_DAYS: Final = _published(
    (0, 2),
    "1.4 [46]: payments resume on 26 June, target end 29–30 June",
    "held payments are instructed so long after it",
)
YEAR_END: Final = _published(
    (date(2020, 12, 15), date(2021, 1, 4)),
    "1.3 [11]: payments of 15–31 December brought forward; later ones paid on 5–7 January 2021",
    "2020 cohort: days on which nothing is paid",
)
BROUGHT_FORWARD_TO: Final = _published(
    (date(2020, 12, 10), date(2020, 12, 14)),
    "1.3 [11]: before 15 December",
    "when the payments of 15–31 December were made",
)
AFTER_YEAR_END: Final = _published(
    (date(2021, 1, 5), date(2021, 1, 7)), "1.3 [11]", "and what could not be brought forward"
)
LAST_RUN: Final = _published(
    date(2021, 3, 5),
    "1.3 [12]",
    "last payment run of the 2020 cohort; the rest is assumed to be brought forward to it",
)

# --- surveys --------------------------------------------------------------------------------------

SURVEY_OPENS_DAYS: Final = _derived(
    30,
    "1.2 [20][21]: 30 days after the first incentive (another page: within 90, so three times 30)",
    "the n-th survey opens n times so many days after the first incentive",
)
SURVEY_ANSWER_LAG: Final = _assumed(
    (("0", 0.05), ("0.6", 5), ("1", 30)),
    "within the 30 days of 1.2 [20]",
    "days from opening to answer",
)
SURVEY_RUSH_FROM: Final = _assumed(
    date(2020, 12, 1),
    "fits mean cash 2,510,831, 3.1 [93], which needs more surveys than 30-day steps leave before 15 December",
    "2020 cohort: from then on all open surveys can be answered until the cut-off",
)
SURVEYS_ANSWERED: Final = _assumed(
    _by_year("0.875", "0.97", "0.97", "0.97", "0.97"),
    "2020 fits mean cash 2,510,831, 3.1 [93]; later fits 41.4tn, 3.1 [95]",
    "opened surveys that are answered, each",
)
SURVEY_PAYMENT_WORKING_DAYS: Final = _derived(
    (1, 6),
    "1.2 [22][23]: paid at most 14 days after submission, the transfer among them",
    "from an answer to the instruction",
)
SURVEY_TOO_LATE: Final = _assumed(
    Fraction("0.01"),
    "1.3 [10]: unpaid after the closing",
    "unanswered surveys of 2020 and 2021 that come after the cut-off",
)
SURVEY_SKIPPED: Final = _assumed(
    Fraction("0.0003"),
    "1.2 [47]: the third needs the first two",
    "second surveys sent without the first",
)

# --- what goes wrong ------------------------------------------------------------------------------

INELIGIBLE: Final = _assumed(
    Fraction("0.0005"),
    "1.3 [14], 3.6 [112]: found by audits years later; revocations not counted",
    "buyers revoked as ineligible",
)
FRAUD: Final = _assumed(Fraction("0.0001"), "2.3 [88]", "buyers revoked for fraud")
REVOKED_LATER_LAG: Final = _assumed(
    (("0", 40), ("1", 200)), "none found", "days from appointment to such a revocation"
)
PAID_ALL_THE_SAME: Final = _assumed(
    Fraction("0.05"), "none found", "of these, people whose payments were not stopped"
)
REINSTATED: Final = _assumed(
    Fraction("0.0002"),
    "none found",
    "buyers revoked because their purchase was not on record, and reinstated",
)
REINSTATED_LAG: Final = _assumed((("0", 2), ("1", 14)), "none found", "days until then")
COMPLAINTS_OF_THE_LATE: Final = _assumed(
    Fraction("0.30"),
    "3.5 [41]: 5m complaints on all matters; those on payment not counted",
    "complaints of people paid late",
)
LATE_AFTER_DAYS: Final = _assumed(
    15, "2.3 [16]", "days from the earned date that make a payment late to its recipient"
)
COMPLAINTS_OF_OTHERS: Final = _assumed(Fraction("0.02"), "3.5", "complaints of other finishers")
COMPLAINT_LAG: Final = _assumed(
    (("0", 3), ("0.5", 14), ("1", 60)), "none found", "days from the earned date to the complaint"
)
CHANNELS: Final[Parameter[Weights]] = _published(
    {"live-chat": 41_000, "e-mail": 23_000, "telephone": 2_100},
    "3.5 [110]: a day, May 2021",
    "how people complain",
)
RESOLVED: Final = _assumed(Fraction("0.95"), "none found", "complaints that are answered")
RESOLUTION_LAG: Final = _assumed(
    (("0", 0.5), ("0.8", 5), ("1", 20)), "none found", "days until then"
)
UNPAID_OUTCOMES: Final[Parameter[Weights]] = _assumed(
    {"explained": 88, "rejected": 8, "withdrawn": 4},
    "none found",
    "answers to those not paid by then; the others are paid",
)
WRONG_WAVE: Final = _assumed(
    Fraction("0.0003"), "none found", "enrolments in a wave that their scheme has not"
)
WRONG_WAVE_MENDED: Final = _assumed(Fraction("0.9"), "none found", "of these corrected later")
INSTRUCTED_BY_MISTAKE: Final = _assumed(
    Fraction("0.0003"),
    "none found",
    "first incentives instructed twice, the second voided the next day",
)

# --- the day --------------------------------------------------------------------------------------

OFFICE_HOURS: Final = _assumed(
    (8, 17), "none found", "hours of the day (WIB) in which the programme acts"
)

PARAMETERS: Final[Mapping[str, Parameter[object]]] = {
    name: value for name, value in globals().items() if isinstance(value, Parameter)
}

assert set(PLATFORM_COURSES.value) < set(PLATFORMS), "a platform that the contract has not"
assert sum(PLATFORM_COURSES.value.values()) == 106_912, "the platforms no longer add up"
assert REASONS.keys() >= REJECTION_REASONS.value.keys() | FAILURE_REASONS.value.keys()
assert set(UNPAID_OUTCOMES.value) < set(COMPLAINT_OUTCOMES), "an outcome that the contract has not"
assert all(0 < share <= 1 for share in FINISHED.value.values()), "more finish than bought"
