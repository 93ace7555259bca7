-- Words that the rules use. `as_of` is D; the bounds of the view stand in rule `seen`.

CREATE OR REPLACE TEMP MACRO as_of() AS getvariable('as_of');

-- The calendar date of an instant in WIB (UTC+7), where instants are kept in UTC.
CREATE OR REPLACE TEMP MACRO wib_date(instant) AS CAST(instant + INTERVAL 7 HOUR AS DATE);

-- The first instant, in UTC, after a date in WIB.
CREATE OR REPLACE TEMP MACRO day_ends(day) AS CAST(day + 1 AS TIMESTAMP) - INTERVAL 7 HOUR;

-- No date lies after year 9999.
CREATE OR REPLACE TEMP MACRO within_dates(day) AS
    CASE WHEN day <= DATE '9999-12-31' THEN day END;
CREATE OR REPLACE TEMP MACRO months_after(day, months) AS
    within_dates(CAST(day + to_months(CAST(months AS INTEGER)) AS DATE));

-- Section 4.1: a line is earned by D; while revoked, only what was earned by the day of the revocation.
CREATE OR REPLACE TEMP MACRO is_earned(earned_on, revoked_on) AS
    coalesce(earned_on <= as_of() AND (revoked_on IS NULL OR earned_on <= revoked_on), false);

-- A JSON string as Python's json writes it with ensure_ascii=False.
CREATE OR REPLACE TEMP MACRO quoted(text) AS
    '"' || CASE WHEN regexp_matches(text, '[\x00-\x1f"\\]') THEN escaped(text) ELSE text END || '"';

CREATE OR REPLACE TEMP MACRO quoted_day(day) AS
    coalesce('"' || CAST(day AS VARCHAR) || '"', 'null');
