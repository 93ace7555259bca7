-- Words that the rules use. `as_of()` is D.

-- The number of a participant, of a package or of the programme: what the rules join by. Setting.refuse
-- makes sure that no two participants have the same.
CREATE OR REPLACE TEMP MACRO who(subject) AS hash(subject);

-- An instant in microseconds since year 1 began in WIB. Right for both types of timestamp, and cheap.
CREATE OR REPLACE TEMP MACRO micros(instant) AS epoch_us(instant) + 62135622000000000;
CREATE OR REPLACE TEMP MACRO day_of_micros(micros) AS
    DATE '0001-01-01' + CAST(micros // 86400000000 AS INTEGER);
CREATE OR REPLACE TEMP MACRO day_begins(day) AS
    CAST(day - DATE '0001-01-01' AS BIGINT) * 86400000000;

-- A stamp says of an event of a participant, in one integer: when it happened, which it is of several at
-- that instant (order.sql), and whether it was recorded after D ("late", section 4.2). Stamps of one
-- participant stand in the order of events, and no two are the same. The least is above 0.
CREATE OR REPLACE TEMP MACRO stamped(micros, tie, is_late) AS
    micros * 28 + tie * 2 + CAST(is_late AS TINYINT);
CREATE OR REPLACE TEMP MACRO day_of(stamp) AS
    DATE '0001-01-01' + CAST(stamp // 2419200000000 AS INTEGER);
CREATE OR REPLACE TEMP MACRO is_late(stamp) AS coalesce(stamp & 1 = 1, false);

-- No date lies after year 9999.
CREATE OR REPLACE TEMP MACRO within_dates(day) AS
    CASE WHEN day <= DATE '9999-12-31' THEN day END;
CREATE OR REPLACE TEMP MACRO months_after(day, months) AS
    within_dates(CAST(day + to_months(CAST(months AS INTEGER)) AS DATE));

-- Section 4.1: a line is earned by D; while revoked, only what was earned by the day of the revocation.
CREATE OR REPLACE TEMP MACRO is_earned(earned_on, revoked_on) AS
    coalesce(earned_on <= as_of() AND (revoked_on IS NULL OR earned_on <= revoked_on), false);

-- A set of causes has one bit for each. A cause is written as a word, and put in as its bit (parts.py).
CREATE OR REPLACE TEMP MACRO because(bit) AS bit;
CREATE OR REPLACE TEMP MACRO because_if(condition, bit) AS CASE WHEN condition THEN bit ELSE 0 END;
CREATE OR REPLACE TEMP MACRO has(causes, bit) AS (causes & bit) <> 0;
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
