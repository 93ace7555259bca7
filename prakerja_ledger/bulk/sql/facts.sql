-- The events of a part of the participants, read once and kept narrow: whoever reads columns of text again
-- and again spends more time on that than on all the rules. What stands after `--named` or `--judged` is
-- there when statements or findings are asked for.

-- step: facts
-- Different kinds share a column where no kind has two of what it holds; `recorded` gives them back their
-- names. `disbursement` is a number made of the id.
SELECT
    who(e.subject) AS who,
    CAST(e.kind AS {kinds}) AS kind,
    stamped(micros(e.time), 0, {is_late}) AS stamp,
    e.position,
    {is_known} AS is_known,
    {is_seen} AS is_seen,
    coalesce(e.amount, e.price, e.wave, e.survey) AS number,
    coalesce(e.scheme, e.reason, e.method) AS word,
    CASE e.kind WHEN 'enrolled' THEN e.subject WHEN 'disbursement-instructed' THEN NULL
        ELSE coalesce(e.course, e.purchase, e.account) END AS thing,
    hash(e.disbursement) AS disbursement,
    CASE WHEN e.component = 'survey' THEN {surveys_begin} + e.instalment ELSE e.instalment END AS place,
    e.reviewed,
    e.courses
    --named , CASE WHEN e.kind NOT IN ('enrolled', 'complaint-filed', 'complaint-resolved')
    --named     THEN named(e.source, e.id) END AS name
    --named , micros(coalesce(e.recordedtime, e.time)) AS learned
    --judged , e.disbursement AS disbursement_id
    --judged , CASE e.kind WHEN 'disbursement-instructed' THEN e.account END AS paid_to
    --judged , e.package, e.platform
    --judged , micros(coalesce(e.recordedtime, e.time)) AS learned
FROM told e
{voided}

-- step: tied
-- Section 1, the order of events: (time, recordedtime, position). Hardly ever do two events of a participant
-- happen at the same microsecond. Where only amounts and causes are asked for, they rest on which of
-- two came first of a few kinds.
SELECT hash(who, stamp // 28) AS who_and_when
FROM facts
WHERE {ordered}
GROUP BY who_and_when
HAVING count(*) > 1

-- step: ties
-- Those that do are numbered, the first 0.
SELECT
    position,
    row_number() OVER (PARTITION BY who, happened
        ORDER BY micros(coalesce(recordedtime, time)), position) - 1 AS tie
FROM (SELECT who, stamp // 28 AS happened, position, hash(who, stamp // 28) AS who_and_when FROM facts)
SEMI JOIN tied USING (who_and_when)
JOIN (SELECT position, time, recordedtime FROM told) USING (position)
