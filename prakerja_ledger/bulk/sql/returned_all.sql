-- Section 2: a return that names no amount takes all that is left of its disbursement when it is
-- recorded: settled less returned so far, voided moves left out by then, never below zero. Each such
-- return may rest on others before it, so they are worked out one after another in each disbursement.

CREATE OR REPLACE TEMP TABLE returned_all AS
WITH RECURSIVE
asked AS (
    SELECT subject, disbursement, position, row_number() OVER (
        PARTITION BY subject, disbursement ORDER BY position) AS turn
    FROM events
    WHERE kind = 'disbursement-returned' AND amount IS NULL
),
moves AS (
    SELECT e.subject, e.disbursement, e.kind, e.position, e.source, e.id, e.amount
    FROM events e SEMI JOIN asked USING (subject, disbursement)
    WHERE e.kind IN ('disbursement-instructed', 'disbursement-settled', 'disbursement-returned')
),
-- the position from which a move counts no more
voids_of AS (
    SELECT m.position, min(v.position) AS voided_at
    FROM moves m JOIN events v ON v.kind = 'event-voided' AND v.subject = m.subject
        AND v.voided_source = m.source AND v.voided_id = m.id
    GROUP BY m.position
),
fixed AS (
    SELECT m.subject, m.disbursement, m.position, v.voided_at,
        CASE m.kind WHEN 'disbursement-settled' THEN coalesce(m.amount, i.amount) ELSE -m.amount END AS moved
    FROM moves m
    LEFT JOIN voids_of v USING (position)
    JOIN moves i ON i.subject = m.subject AND i.disbursement = m.disbursement
        AND i.kind = 'disbursement-instructed'
    WHERE m.kind = 'disbursement-settled' OR (m.kind = 'disbursement-returned' AND m.amount IS NOT NULL)
),
taken AS (
    SELECT subject, disbursement, 0::BIGINT AS turn, NULL::BIGINT AS position,
        []::STRUCT(took BIGINT, voided_at BIGINT)[] AS before
    FROM asked GROUP BY ALL
    UNION ALL
    SELECT a.subject, a.disbursement, a.turn, a.position,
        list_append(t.before, {
            'took': CAST(greatest(0,
                coalesce((SELECT sum(f.moved) FROM fixed f
                    WHERE f.subject = a.subject AND f.disbursement = a.disbursement
                        AND f.position < a.position
                        AND (f.voided_at IS NULL OR f.voided_at > a.position)), 0)
                - coalesce(list_sum([b.took for b in t.before
                    if b.voided_at IS NULL OR b.voided_at > a.position]), 0)) AS BIGINT),
            'voided_at': v.voided_at
        }) AS before
    FROM taken t
    JOIN asked a ON a.subject = t.subject AND a.disbursement = t.disbursement AND a.turn = t.turn + 1
    LEFT JOIN voids_of v ON v.position = a.position
)
SELECT position, before[-1].took AS took FROM taken WHERE turn > 0
