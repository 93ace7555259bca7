-- Section 1, the order of events: (time, recordedtime, position). Most participants' events are recorded
-- in that order; where some are not, `ranks` deals their positions out anew, the first event the lowest.

CREATE OR REPLACE TEMP TABLE ranks AS
WITH steps AS (
    SELECT
        subject,
        lag(subject) OVER () AS subject_before, lag(position) OVER () AS position_before,
        time, lag(time) OVER () AS time_before,
        coalesce(recordedtime, time) AS known_at,
        lag(coalesce(recordedtime, time)) OVER () AS known_before
    FROM events
),
disorderly AS (
    SELECT DISTINCT subject
    FROM steps
    WHERE subject = subject_before
        AND (time < time_before OR (time = time_before AND known_at < known_before))
),
places AS (
    SELECT
        subject, position,
        row_number() OVER (PARTITION BY subject ORDER BY position) AS recorded_as,
        row_number() OVER (
            PARTITION BY subject ORDER BY time, coalesce(recordedtime, time), position) AS rank
    FROM events SEMI JOIN disorderly USING (subject)
)
SELECT own.position, other.position AS n
FROM places own
JOIN places other ON other.subject = own.subject AND other.recorded_as = own.rank
WHERE own.position <> other.position
