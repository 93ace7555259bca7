-- Section 3, working days: Monday to Friday less the listed holidays. Outside the years of the list
-- nothing is known; the eve of the first day is, as no day lies before it.

CREATE OR REPLACE TEMP TABLE working_days AS
WITH days AS (
    SELECT CAST(unnest(generate_series(calendar_first() - 1, calendar_last(), INTERVAL 1 DAY)) AS DATE) AS day
)
SELECT
    day,
    day >= calendar_first() AND isodow(day) < 6 AND h.day IS NULL AS is_working,
    CAST(count(*) FILTER (is_working) OVER (ORDER BY day) AS INTEGER) AS counted
FROM days LEFT JOIN holidays h USING (day)
ORDER BY day;

-- The n-th working day after each day: the first counted is the one after it.
CREATE OR REPLACE TEMP TABLE working_days_later AS
SELECT w.days, d.day, l.day AS later_on
FROM windows w
CROSS JOIN working_days d
JOIN working_days l ON l.is_working AND l.counted = d.counted + w.days;

SET VARIABLE counted_as_of = (SELECT counted FROM working_days WHERE day = as_of());
CREATE OR REPLACE TEMP MACRO counted_as_of() AS getvariable('counted_as_of');
