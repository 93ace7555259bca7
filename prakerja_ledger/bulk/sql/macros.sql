-- Words that the rules use. `as_of` is D; the bounds of the view stand in rule `recorded`.

CREATE OR REPLACE TEMP MACRO as_of() AS getvariable('as_of');

-- The first instant, in UTC, after a date in WIB (UTC+7).
CREATE OR REPLACE TEMP MACRO day_ends(day) AS CAST(day + 1 AS TIMESTAMP) - INTERVAL 7 HOUR;

-- A stamp says of an event, in one integer: its place `n` in the order of events, its date in WIB, and
-- whether it was recorded after D ("late", section 4.2). The least stamp is the first event's.
CREATE OR REPLACE TEMP MACRO stamped(n, instant, is_late) AS
    (n << 23)
    | (((epoch_us(instant) + 62135622000000000) // 86400000000) << 1)
    | CAST(is_late AS BIGINT);
CREATE OR REPLACE TEMP MACRO stamped_on(n, day, is_late) AS
    (n << 23) | (CAST(day - DATE '0001-01-01' AS BIGINT) << 1) | CAST(is_late AS BIGINT);
CREATE OR REPLACE TEMP MACRO n_of(stamp) AS stamp >> 23;
CREATE OR REPLACE TEMP MACRO day_of(stamp) AS
    DATE '0001-01-01' + CAST((stamp >> 1) & 4194303 AS INTEGER);
CREATE OR REPLACE TEMP MACRO is_late(stamp) AS coalesce(stamp & 1 = 1, false);

-- No date lies after year 9999.
CREATE OR REPLACE TEMP MACRO within_dates(day) AS
    CASE WHEN day <= DATE '9999-12-31' THEN day END;
CREATE OR REPLACE TEMP MACRO months_after(day, months) AS
    within_dates(CAST(day + to_months(CAST(months AS INTEGER)) AS DATE));

-- Section 4.1: a line is earned by D; while revoked, only what was earned by the day of the revocation.
CREATE OR REPLACE TEMP MACRO is_earned(earned_on, revoked_on) AS
    coalesce(earned_on <= as_of() AND (revoked_on IS NULL OR earned_on <= revoked_on), false);

-- A set of causes has one bit for each.
CREATE OR REPLACE TEMP MACRO because_if(condition, name) AS
    CASE WHEN condition THEN because(name) ELSE 0 END;
CREATE OR REPLACE TEMP MACRO has(causes, name) AS (causes & because(name)) <> 0;
CREATE OR REPLACE TEMP MACRO first_cause(causes) AS causes & -causes;

-- A JSON string as Python's json writes it with ensure_ascii=False. DuckDB writes the same, but for the
-- case of the digits of a control character.
CREATE OR REPLACE TEMP MACRO quoted(text) AS
    CASE WHEN contains(json_quote(text), '\u00') THEN '"' || escaped(text) || '"'
        ELSE json_quote(text) END;

-- An event by its identity, as evidence names it.
CREATE OR REPLACE TEMP MACRO named(source, id) AS
    concat('{"source":', quoted(source), ',"id":', quoted(id), '}');

CREATE OR REPLACE TEMP MACRO quoted_day(day) AS
    coalesce('"' || CAST(day AS VARCHAR) || '"', 'null');
