-- Section 2: a return that names no amount takes all that is left of its disbursement when it is
-- recorded: settled less returned so far, voided moves left out by then, never below zero. Each such
-- return may rest on others before it, so they are worked out one after another in each disbursement.

CREATE OR REPLACE TEMP TABLE unnamed_returns AS
SELECT who, disbursement, position
FROM facts
WHERE kind = 'disbursement-returned' AND number IS NULL;

CREATE OR REPLACE TEMP TABLE moves AS
SELECT e.who, e.disbursement, e.kind, e.position, e.number AS amount,
    -- the position from which the move counts no more
    v.voided_at
FROM facts e
SEMI JOIN unnamed_returns USING (who, disbursement)
LEFT JOIN voided v USING (position)
WHERE e.kind IN ('disbursement-instructed', 'disbursement-settled', 'disbursement-failed',
    'disbursement-returned');

CREATE OR REPLACE TEMP TABLE returned_all AS
WITH RECURSIVE
asked AS (
    SELECT m.*, row_number() OVER (PARTITION BY who, disbursement ORDER BY position) AS turn
    FROM moves m
    SEMI JOIN unnamed_returns USING (position)
),
instructed AS (
    SELECT who, disbursement, amount FROM moves WHERE kind = 'disbursement-instructed'
),
-- what the moves that name their amount (and settlements that do not) leave at each such return
named AS (
    SELECT a.position, coalesce(sum(CASE WHEN m.kind = 'disbursement-settled'
        THEN coalesce(m.amount, i.amount) ELSE -m.amount END), 0) AS remains
    FROM asked a
    JOIN instructed i USING (who, disbursement)
    LEFT JOIN moves m ON m.who = a.who AND m.disbursement = a.disbursement
        AND m.position < a.position AND coalesce(m.voided_at > a.position, true)
        AND m.kind IN ('disbursement-settled', 'disbursement-returned')
    GROUP BY a.position
),
taken AS (
    SELECT who, disbursement, turn, position, greatest(0, remains)::BIGINT AS took,
        [{'took': greatest(0, remains)::BIGINT, 'voided_at': voided_at}] AS so_far
    FROM asked JOIN named USING (position)
    WHERE turn = 1
    UNION ALL
    SELECT a.who, a.disbursement, a.turn, a.position,
        greatest(0, n.remains - coalesce(list_sum([before.took for before in t.so_far
            if coalesce(before.voided_at > a.position, true)]), 0))::BIGINT AS took,
        list_append(t.so_far, {'took': took, 'voided_at': a.voided_at})
    FROM taken t
    JOIN asked a ON a.who = t.who AND a.disbursement = t.disbursement AND a.turn = t.turn + 1
    JOIN named n ON n.position = a.position
)
SELECT position, took FROM taken;
