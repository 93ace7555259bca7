-- Section 1, the order of events: (time, recordedtime, position). Hardly ever do two events of a participant
-- happen at the same microsecond; those that do are numbered, the first 0. Where no order but that of a few
-- kinds is asked for, only theirs is looked at.

CREATE OR REPLACE TEMP TABLE tied AS
SELECT who(subject) AS who, micros(time) AS at
FROM {ordered}
GROUP BY ALL
HAVING count(*) > 1;

CREATE OR REPLACE TEMP TABLE ties AS
SELECT
    position,
    row_number() OVER (PARTITION BY subject, micros(time)
        ORDER BY micros(coalesce(recordedtime, time)), position) - 1 AS tie
FROM events
SEMI JOIN tied ON tied.who = who(subject) AND tied.at = micros(time);
