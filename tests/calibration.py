"""What a simulated history adds up to, beside what was published of the real programme.

`python -m tests.calibration` writes the table of docs/concepts/simulation.md anew: the same seed gives the
same history everywhere, so a test can hold the page to it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
from attrs import define, frozen
from pyarrow import compute as pc
from pyarrow import parquet as pq

from prakerja_ledger.domain.schemes import KARTU_PRAKERJA
from prakerja_ledger.simulating import parameters as p
from prakerja_ledger.simulating.people import population
from prakerja_ledger.simulating.writing import Simulation, write_parquet

SCALE = Fraction(1, 100)
SEED = 1
PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "simulation.md"
BEGIN, END = "<!-- calibration: begin -->\n", "<!-- calibration: end -->\n"
_WIB = timezone(timedelta(hours=7))
_COLUMNS = (
    "kind", "subject", "time", "recordedtime", "wave", "scheme", "reason", "provider", "platform",
    "price", "method", "disbursement", "programme", "instructor", "facilities", "survey", "channel",
)  # fmt: skip


def simulated(path: Path, scale: Fraction = SCALE, seed: int = SEED) -> None:
    """Write the whole programme at a scale as Parquet."""
    people = population(None, scale)
    write_parquet(Simulation(people, people.size, seed), path, lambda _: None)


@define(eq=False)
class Books:
    """A simulated history in columns, and sums over it as they would be at full scale."""

    table: pa.Table
    factor: int

    @classmethod
    def read(cls, path: Path, scale: Fraction = SCALE) -> Books:
        table = pq.read_table(path, columns=list(_COLUMNS))
        known = pc.coalesce(table["recordedtime"], table["time"])
        table = table.append_column("known", known)
        enrolled = table.filter(pc.equal(table["kind"], "enrolled"))
        # the wave of a wrong enrolment is that of its neighbours: participants stand in order of waves
        waves = dict(zip(enrolled["subject"].to_pylist(), enrolled["wave"].to_pylist(), strict=True))
        schemes = dict(zip(enrolled["subject"].to_pylist(), enrolled["scheme"].to_pylist(), strict=True))
        right, last = {}, 1
        for subject, wave in waves.items():
            if wave in KARTU_PRAKERJA.scheme(schemes[subject]).waves:
                last = wave
            right[subject] = last
        subjects = table["subject"].combine_chunks().dictionary_encode()
        codes = subjects.indices.to_numpy()
        names = subjects.dictionary.to_pylist()
        of_name = np.array([right.get(name, 0) for name in names])
        table = table.append_column("who", pa.array(codes))
        table = table.append_column("of_wave", pa.array(of_name[codes]))
        return cls(table, int(1 / scale))

    def of(self, *kinds: str, by: date | None = None, clock: str = "time", waves: range | None = None) -> pa.Table:
        """The events of some kinds up to the end of a day in WIB."""
        keep = pc.is_in(self.table["kind"], pa.array(kinds))
        if by is not None:
            end = datetime(by.year, by.month, by.day, tzinfo=_WIB) + timedelta(days=1)
            keep = pc.and_(keep, pc.less(self.table[clock], pa.scalar(end, pa.timestamp("us", tz="UTC"))))
        if waves is not None:
            keep = pc.and_(keep, pc.is_in(self.table["of_wave"], pa.array(list(waves))))
        return self.table.filter(keep)

    def people(self, kind: str, by: date, waves: range, clock: str = "known") -> int:
        """Participants with such an event on record by a day."""
        return len(pc.unique(self.of(kind, by=by, clock=clock, waves=waves)["who"])) * self.factor

    def cash(self, by: date, waves: range) -> int:
        """Rupiah paid out and not returned."""
        moved = self.of("disbursement-settled", "disbursement-returned", by=by, waves=waves)
        survey = pc.starts_with(moved["disbursement"], "survey")
        sign = pc.if_else(pc.equal(moved["kind"], "disbursement-settled"), 1, -1)
        return pc.sum(pc.multiply(pc.if_else(survey, 50_000, 600_000), sign)).as_py() * self.factor

    def paid(self, by: date, waves: range) -> int:
        """Participants who received money by a day."""
        return self.people("disbursement-settled", by, waves, "time")

    def revoked(self, by: date, waves: range) -> int:
        """Participants who stand revoked for want of a purchase."""
        gone = self.of("participation-revoked", by=by, waves=waves)
        gone = gone.filter(pc.equal(gone["reason"], "no-first-purchase"))
        back = self.of("participation-reinstated", waves=waves)["who"]
        return (len(gone) - pc.sum(pc.is_in(gone["who"], back.combine_chunks())).as_py()) * self.factor

    def share(self, kind: str, column: str, *values: str) -> float:
        """The share of the events of a kind that have one of these values."""
        found = self.of(kind)[column]
        return pc.mean(pc.cast(pc.is_in(found, pa.array(values)), pa.float64())).as_py()

    def failing(self) -> float:
        return len(self.of("disbursement-failed")) / len(self.of("disbursement-instructed"))

    def rating(self) -> float:
        rated = self.of("course-rated")
        stars = [pc.drop_null(rated[name]).to_numpy() for name in ("instructor", "facilities", "programme")]
        return float(np.concatenate(stars).mean())

    def spending(self, by: date) -> float:
        bought = self.of("training-purchased", by=by)
        bought = bought.filter(pc.equal(bought["method"], "prakerja"))
        return pc.sum(bought["price"]).as_py() / len(pc.unique(bought["who"]))

    def answers(self, survey: int, by: date) -> int:
        given = self.of("survey-submitted", by=by)
        return pc.sum(pc.equal(given["survey"], survey)).as_py() * self.factor


@frozen
class Target:
    """A published figure, how near the simulation has to come, and what it comes to."""

    what: str
    published: float
    tolerance: float
    """Relative."""
    source: str
    figure: Callable[[Books], float]


FIRST, YEAR_2020 = range(1, 12), date(2021, 3, 8)
_REVOKED = (
    (date(2020, 9, 27), range(1, 12), 189_436, 0.01, "[7]"),
    (date(2020, 9, 28), range(1, 12), 227_818, 0.01, "[104]"),
    (date(2020, 10, 15), range(1, 12), 310_212, 0.01, "[105]"),
    (date(2020, 10, 19), range(1, 12), 344_959, 0.01, "[106]"),
    (date(2020, 10, 31), range(1, 12), 373_745, 0.01, "[8]"),
    (date(2020, 11, 10), range(1, 12), 382_868, 0.01, "[98]"),
    (date(2021, 4, 23), range(12, 16), 35_809, 0.02, "[107]"),
    (date(2021, 12, 1), range(12, 23), 86_878, 0.02, "[108]"),
)
_FUNNEL = (
    # day, waves, kind, published, tolerance, source
    (date(2020, 5, 10), range(1, 3), "training-purchased", 360_650, 0.02, "[91]"),
    (date(2020, 5, 19), range(1, 4), "training-purchased", 530_000, 0.05, "[92]"),
    (date(2020, 9, 15), range(1, 8), "training-purchased", 3_200_000, 0.02, "[89]"),
    (date(2020, 10, 30), range(1, 11), "training-purchased", 5_200_000, 0.02, "[34]"),
    (date(2020, 5, 10), range(1, 3), "course-completed", 219_489, 0.25, "[91]"),
    (date(2020, 5, 19), range(1, 4), "course-completed", 350_000, 0.15, "[92]"),
    (date(2020, 6, 23), range(1, 4), "course-completed", 477_971, 0.15, "[46]"),
    (date(2020, 9, 15), range(1, 8), "course-completed", 2_000_000, 0.10, "[89]"),
    (date(2020, 10, 30), range(1, 11), "course-completed", 4_940_000, 0.05, "[34]"),
    (date(2021, 9, 21), range(12, 21), "course-completed", 4_000_000, 0.10, "[31]"),
)
_PAID = (
    (date(2020, 6, 23), range(1, 4), 361_209, 0.05, "[46]"),
    (date(2020, 9, 15), range(1, 8), 1_200_000, 0.30, "[89]"),
    (date(2020, 10, 30), range(1, 11), 4_900_000, 0.10, "[34]"),
    (YEAR_2020, FIRST, p.PAID_HEADS_2020.value, 0.01, "[93]"),
    (date(2021, 9, 21), range(12, 21), 3_800_000, 0.10, "[31]"),
    (date(2024, 8, 31), range(1, 70), p.PAID_HEADS.value, 0.01, "[95]"),
)
_CASH = (
    (date(2020, 9, 15), range(1, 8), 1.6e12, 0.30, "[89]"),
    (date(2020, 10, 30), range(1, 11), 5.7e12, 0.10, "[34]"),
    (YEAR_2020, FIRST, 13.35e12, 0.01, "[93]"),
    (date(2021, 9, 21), range(12, 21), 7.3e12, 0.10, "[31]"),
    (date(2024, 8, 31), range(1, 70), 41.4e12, 0.04, "[95]"),
)
_PLATFORMS = {
    "skill-academy": 0.582, "sisnaker": 0.104, "bukalapak": 0.079, "pintaria": 0.061,
    "tokopedia": 0.059, "sekolahmu": 0.059, "pijar-mahir": 0.030, "maubelajarapa": 0.025,
}  # fmt: skip
_WALLETS = ("ovo", "gopay", "linkaja", "dana")
_WORDS = {"training-purchased": "bought", "course-completed": "finished a course"}


def _waves(waves: range) -> str:
    return f"waves {waves[0]}–{waves[-1]}"


def targets() -> Iterator[Target]:
    """Everything that is compared."""
    for by, waves, count, within, source in _REVOKED:
        yield Target(f"revoked without a purchase, {_waves(waves)}, {by}", count, within, source,
                     lambda b, by=by, waves=waves: b.revoked(by, waves))
    yield Target("the same in rupiah returned, 10 November 2020", 382_868 * p.REVOKED_RETURN.value, 0.01, "8.2 [98]",
                 lambda b: b.revoked(date(2020, 11, 10), FIRST) * p.REVOKED_RETURN.value)
    for by, waves, count, within, source in _PAID:
        yield Target(f"people paid, {_waves(waves)}, {by}", count, within, source,
                     lambda b, by=by, waves=waves: b.paid(by, waves))
    for by, waves, amount, within, source in _CASH:
        yield Target(f"cash paid, {_waves(waves)}, {by}", amount, within, source,
                     lambda b, by=by, waves=waves: b.cash(by, waves))
    yield Target("mean cash of a paid head, 2020", p.MEAN_CASH_2020.value, 0.01, "[93]",
                 lambda b: b.cash(YEAR_2020, FIRST) / b.paid(YEAR_2020, FIRST))
    for by, waves, kind, count, within, source in _FUNNEL:
        yield Target(f"{_WORDS[kind]}, {_waves(waves)}, {by}", count, within, source,
                     lambda b, by=by, waves=waves, kind=kind: b.people(kind, by, waves))
    yield Target("spent by a buyer by 9 May 2020", 499_000, 0.05, "[96]", lambda b: b.spending(date(2020, 5, 9)))
    yield Target("survey 1 answered by 31 October 2020", 2_400_000, 0.30, "[34]",
                 lambda b: b.answers(1, date(2020, 10, 31)))
    yield Target("transfers that fail", float(p.FAILURES.value), 0.02, "[86]", lambda b: b.failing())
    yield Target("accounts that are e-wallets", 0.77, 0.01, "[54][69]",
                 lambda b: b.share("account-linked", "provider", *_WALLETS))
    for name, share in _PLATFORMS.items():
        yield Target(f"purchases on {name}", share, 0.03, "[97]",
                     lambda b, name=name: b.share("training-purchased", "platform", name))
    yield Target("mean rating", 4.9, 0.005, "[109]", lambda b: b.rating())
    yield Target("complaints by live chat", 41_000 / 66_100, 0.02, "[110]",
                 lambda b: b.share("complaint-filed", "channel", "live-chat"))


def _shown(value: float) -> str:
    if value < 1:
        return f"{value:.2%}".replace("%", " %")
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def table(books: Books) -> str:
    """The comparison in Markdown."""
    lines = ["| what | published | simulated | difference | tolerance | source |", "| --- | --: | --: | --: | --: | --- |"]
    for one in targets():
        found = one.figure(books)
        off = f"{found / one.published - 1:+.1%}".replace("%", " %").replace("-", "−")
        lines.append(
            f"| {one.what} | {_shown(one.published)} | {_shown(found)} | {off} | {one.tolerance:.3g} | {one.source} |"
            .replace(f"| {one.tolerance:.3g} |", f"| {one.tolerance:.1%} |".replace("%", " %"))
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table into the page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.parquet"
        simulated(path)
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n{table(Books.read(path))}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
