"""Indonesia's public and government joint holidays of 2020 to 2027.

Made with the `holidays` package, version 0.109, country `ID`, categories `public` and
`government`. Data, not a dependency: a statement must not change because a package did.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from prakerja_ledger.domain.calendar import WorkingCalendar

LISTED: Final = """\
2020-01-01 New Year's Day
2020-01-25 Lunar New Year
2020-03-22 Isra' and Mi'raj
2020-03-25 Day of Silence
2020-04-10 Good Friday
2020-05-01 International Labor Day
2020-05-07 Vesak Day
2020-05-21 Ascension Day
2020-05-24 Eid al-Fitr
2020-05-25 Eid al-Fitr Second Day
2020-06-01 Pancasila Day
2020-07-31 Eid al-Adha
2020-08-17 Independence Day
2020-08-20 Islamic New Year
2020-08-21 Islamic New Year Joint Holiday
2020-10-28 Prophet's Birthday Joint Holiday
2020-10-29 Prophet's Birthday
2020-10-30 Prophet's Birthday Joint Holiday
2020-12-09 Local Election Day
2020-12-24 Christmas Joint Holiday
2020-12-25 Christmas Day
2020-12-31 Eid al-Fitr Joint Holiday (observed)
2021-01-01 New Year's Day
2021-02-12 Lunar New Year
2021-03-11 Isra' and Mi'raj
2021-03-14 Day of Silence
2021-04-02 Good Friday
2021-05-01 International Labor Day
2021-05-12 Eid al-Fitr Joint Holiday
2021-05-13 Ascension Day; Eid al-Fitr
2021-05-14 Eid al-Fitr Second Day
2021-05-26 Vesak Day
2021-06-01 Pancasila Day
2021-07-20 Eid al-Adha
2021-08-11 Islamic New Year
2021-08-17 Independence Day
2021-10-20 Prophet's Birthday
2021-12-25 Christmas Day
2022-01-01 New Year's Day
2022-02-01 Lunar New Year
2022-02-28 Isra' and Mi'raj
2022-03-03 Day of Silence
2022-04-15 Good Friday
2022-04-29 Eid al-Fitr Joint Holiday
2022-05-01 International Labor Day
2022-05-02 Eid al-Fitr
2022-05-03 Eid al-Fitr Second Day
2022-05-04 Eid al-Fitr Joint Holiday
2022-05-05 Eid al-Fitr Joint Holiday
2022-05-06 Eid al-Fitr Joint Holiday
2022-05-16 Vesak Day
2022-05-26 Ascension Day
2022-06-01 Pancasila Day
2022-07-10 Eid al-Adha
2022-07-30 Islamic New Year
2022-08-17 Independence Day
2022-10-08 Prophet's Birthday
2022-12-25 Christmas Day
2023-01-01 New Year's Day
2023-01-22 Lunar New Year
2023-01-23 Lunar New Year Joint Holiday
2023-02-18 Isra' and Mi'raj
2023-03-22 Day of Silence
2023-03-23 Day of Silence Joint Holiday
2023-04-07 Good Friday
2023-04-19 Eid al-Fitr Joint Holiday
2023-04-20 Eid al-Fitr Joint Holiday
2023-04-21 Eid al-Fitr Joint Holiday
2023-04-22 Eid al-Fitr
2023-04-23 Eid al-Fitr Second Day
2023-04-24 Eid al-Fitr Joint Holiday
2023-04-25 Eid al-Fitr Joint Holiday
2023-05-01 International Labor Day
2023-05-18 Ascension Day
2023-06-01 Pancasila Day
2023-06-02 Vesak Joint Holiday
2023-06-04 Vesak Day
2023-06-28 Eid al-Adha Joint Holiday
2023-06-29 Eid al-Adha
2023-06-30 Eid al-Adha Joint Holiday
2023-07-19 Islamic New Year
2023-08-17 Independence Day
2023-09-28 Prophet's Birthday
2023-12-25 Christmas Day
2023-12-26 Christmas Joint Holiday
2024-01-01 New Year's Day
2024-02-08 Isra' and Mi'raj
2024-02-09 Lunar New Year Joint Holiday
2024-02-10 Lunar New Year
2024-02-14 General Election Day
2024-03-11 Day of Silence
2024-03-12 Day of Silence Joint Holiday
2024-03-29 Good Friday
2024-03-31 Easter Sunday
2024-04-08 Eid al-Fitr Joint Holiday
2024-04-09 Eid al-Fitr Joint Holiday
2024-04-10 Eid al-Fitr
2024-04-11 Eid al-Fitr Second Day
2024-04-12 Eid al-Fitr Joint Holiday
2024-04-15 Eid al-Fitr Joint Holiday
2024-05-01 International Labor Day
2024-05-09 Ascension Day
2024-05-10 Ascension Joint Holiday
2024-05-23 Vesak Day
2024-05-24 Vesak Joint Holiday
2024-06-01 Pancasila Day
2024-06-17 Eid al-Adha
2024-06-18 Eid al-Adha Joint Holiday
2024-07-07 Islamic New Year
2024-08-17 Independence Day
2024-09-16 Prophet's Birthday
2024-11-27 Local Election Day
2024-12-25 Christmas Day
2024-12-26 Christmas Joint Holiday
2025-01-01 New Year's Day
2025-01-27 Isra' and Mi'raj
2025-01-28 Lunar New Year Joint Holiday
2025-01-29 Lunar New Year
2025-03-28 Day of Silence Joint Holiday
2025-03-29 Day of Silence
2025-03-31 Eid al-Fitr
2025-04-01 Eid al-Fitr Second Day
2025-04-02 Eid al-Fitr Joint Holiday
2025-04-03 Eid al-Fitr Joint Holiday
2025-04-04 Eid al-Fitr Joint Holiday
2025-04-07 Eid al-Fitr Joint Holiday
2025-04-18 Good Friday
2025-04-20 Easter Sunday
2025-05-01 International Labor Day
2025-05-12 Vesak Day
2025-05-13 Vesak Joint Holiday
2025-05-29 Ascension Day
2025-05-30 Ascension Joint Holiday
2025-06-01 Pancasila Day
2025-06-06 Eid al-Adha
2025-06-09 Eid al-Adha Joint Holiday
2025-06-27 Islamic New Year
2025-08-17 Independence Day
2025-08-18 Independence Day Joint Holiday
2025-09-05 Prophet's Birthday
2025-12-25 Christmas Day
2025-12-26 Christmas Joint Holiday
2026-01-01 New Year's Day
2026-01-16 Isra' and Mi'raj
2026-02-16 Lunar New Year Joint Holiday
2026-02-17 Lunar New Year
2026-03-18 Day of Silence Joint Holiday
2026-03-19 Day of Silence
2026-03-20 Eid al-Fitr Joint Holiday
2026-03-21 Eid al-Fitr
2026-03-22 Eid al-Fitr Second Day
2026-03-23 Eid al-Fitr Joint Holiday
2026-03-24 Eid al-Fitr Joint Holiday
2026-04-03 Good Friday
2026-04-05 Easter Sunday
2026-05-01 International Labor Day
2026-05-14 Ascension Day
2026-05-15 Ascension Joint Holiday
2026-05-27 Eid al-Adha
2026-05-28 Eid al-Adha Joint Holiday
2026-05-31 Vesak Day
2026-06-01 Pancasila Day
2026-06-16 Islamic New Year
2026-08-17 Independence Day
2026-08-25 Prophet's Birthday
2026-12-24 Christmas Joint Holiday
2026-12-25 Christmas Day
2027-01-01 New Year's Day
2027-01-05 Isra' and Mi'raj
2027-02-05 Lunar New Year Joint Holiday
2027-02-06 Lunar New Year
2027-03-08 Day of Silence
2027-03-09 Eid al-Fitr Joint Holiday
2027-03-10 Eid al-Fitr (estimated)
2027-03-11 Eid al-Fitr Second Day (estimated)
2027-03-12 Eid al-Fitr Joint Holiday
2027-03-15 Eid al-Fitr Joint Holiday
2027-03-25 Good Friday Joint Holiday
2027-03-26 Good Friday
2027-03-28 Easter Sunday
2027-05-01 International Labor Day
2027-05-06 Ascension Day
2027-05-17 Eid al-Adha (estimated)
2027-05-18 Eid al-Adha Joint Holiday
2027-05-19 Vesak Joint Holiday
2027-05-20 Vesak Day
2027-06-01 Pancasila Day
2027-06-06 Islamic New Year
2027-08-15 Prophet's Birthday
2027-08-17 Independence Day
2027-12-24 Christmas Joint Holiday
2027-12-25 Christmas Day
2027-12-26 Isra' and Mi'raj
"""

INDONESIA: Final = WorkingCalendar(
    first=date(2020, 1, 1),
    last=date(2027, 12, 31),
    holidays=frozenset(date.fromisoformat(line[:10]) for line in LISTED.splitlines()),
)
