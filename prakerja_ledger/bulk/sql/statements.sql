-- Statements as `statement --json` prints them (contract, section 4.3), from the table `line_rows`.

-- rule: unlinkings
-- Section 4.2, ACCOUNT_NOT_ON_RECORD: the unlinking that left none.
SELECT s.who, min(s.stamp) AS unlinked
FROM seen s
JOIN accounts a USING (who, account)
WHERE s.kind = 'account-unlinked' AND a.is_unlinked AND s.stamp > a.linked
GROUP BY s.who

-- table: intricate
-- The lines whose evidence is not plain.
SELECT who, place, status, causes, revocation FROM line_rows WHERE is_plain IS NOT TRUE

-- rule: intricate_cash
SELECT l.*, p.* EXCLUDE (who, wave, scheme, revocation), u.unlinked, c.is_survey, c.instalment
FROM intricate l
JOIN people p USING (who)
JOIN cash_places c USING (place)
LEFT JOIN unlinkings u USING (who)

-- rule: intricate_training
SELECT who FROM intricate WHERE place = 0

-- rule: pointed_at
-- Section 4.2, evidence: the events of each line, by their stamps.
SELECT who, 0 AS place, stamp FROM purchases SEMI JOIN intricate_training USING (who) WHERE counts
UNION ALL
SELECT s.who, 0, s.stamp
FROM few_seen s
JOIN purchases p USING (who, purchase)
SEMI JOIN intricate_training i ON i.who = s.who
WHERE s.kind = 'purchase-refunded' AND p.counts
UNION ALL
SELECT who, place, unnest([bought, completed, certified, rated, reviewed])
FROM intricate_cash WHERE NOT is_survey
UNION ALL
SELECT who, place, unnest(list_append({surveys_until}, first_settled))
FROM intricate_cash WHERE is_survey
UNION ALL
SELECT s.who, d.place, s.stamp
FROM (SELECT who, disbursement, stamp FROM seen WHERE kind IN ('disbursement-instructed',
    'disbursement-settled', 'disbursement-failed', 'disbursement-returned')) s
JOIN (FROM disbursements SEMI JOIN intricate USING (who, place)) d USING (who, disbursement)
UNION ALL
SELECT who, place, revocation FROM intricate WHERE status = 'forfeited'
UNION ALL
SELECT who, place, unnest(
    list_filter(list_concat([completed, certified, rated, reviewed],
        CASE WHEN is_survey THEN list_append({surveys_until}, first_settled) END),
    lambda s: is_late(s)))
FROM intricate_cash WHERE has(causes, 'REPORT_LAG')
UNION ALL
SELECT who, place, unlinked FROM intricate_cash WHERE has(causes, 'ACCOUNT_NOT_ON_RECORD')
UNION ALL
SELECT who, place, linked FROM intricate_cash
WHERE has(causes, 'ACCOUNT_NOT_VERIFIED') OR has(causes, 'ACCOUNT_REJECTED')
UNION ALL
SELECT who, place, word FROM intricate_cash WHERE has(causes, 'ACCOUNT_REJECTED')

-- rule: named_evidence
SELECT p.who, p.place, s.name, s.stamp // 28 AS happened, s.learned, s.position
FROM (SELECT DISTINCT who, place, stamp FROM pointed_at WHERE stamp IS NOT NULL) p
JOIN seen s USING (who, stamp)
UNION ALL
SELECT i.who, i.place, named(s.source, s.id), micros(s.time), micros(s.known_at), s.position
FROM (FROM intricate WHERE has(causes, 'PROGRAMME_HOLD')) i
JOIN common s ON s.position = hold()

-- table: sorted_evidence
-- Section 4.2: each once, in the order of events.
SELECT who, place, string_agg(name, ',' ORDER BY happened, learned, position) AS evidence
FROM named_evidence
GROUP BY who, place

-- table: ranks
-- The participants' places by id, so that lines are not ordered by text.
SELECT who, row_number() OVER (ORDER BY subject) AS rank FROM participants

-- rule: cause_texts
-- The causes of a line, first cause and owner, once for each set of causes.
SELECT w.causes, w.first_reason,
    CASE WHEN w.causes = 0 THEN '"cause":null,"owner":null,"causes":[]'
    ELSE '"cause":"' || arg_min(c.cause, c.bit) || '","owner":"'
        || coalesce(any_value(r.owner), arg_min(coalesce(c.owner, ''), c.bit)) || '","causes":['
        || string_agg('"' || c.cause || '"', ',' ORDER BY c.bit) || ']'
    END AS why
FROM (SELECT DISTINCT causes, first_reason FROM line_rows) w
LEFT JOIN causes c ON c.bit & w.causes <> 0
LEFT JOIN reasons r ON r.reason = w.first_reason
GROUP BY w.causes, w.first_reason

-- rule: sums
SELECT who, sum(amount) AS entitlement, sum(owed) AS owed, sum(paid) AS paid,
    sum(unpaid) AS unpaid, sum(overdue) AS overdue, sum(in_flight) AS in_flight,
    sum(overpaid) AS overpaid, sum(not_yet_earned) AS not_yet_earned, sum(forfeited) AS forfeited
FROM line_rows
GROUP BY who

-- rule: heads
-- Section 4.3: what stands before the lines of a participant.
SELECT l.who, 0 AS place, p.subject, concat(
    ']}', chr(10), '{"participant":', quoted(p.subject), ',"wave":', l.wave,
    ',"scheme":', quoted(l.scheme), ',"standing":"',
    CASE WHEN l.revocation IS NULL THEN 'active' ELSE 'revoked' END,
    '","as_of":', quoted_day(as_of()), ',"known_at":', getvariable('known_at_text'),
    ',"totals":{"entitlement":', s.entitlement, ',"owed":', s.owed, ',"paid":', s.paid,
    ',"unpaid":', s.unpaid, ',"overdue":', s.overdue, ',"in_flight":', s.in_flight,
    ',"overpaid":', s.overpaid, ',"not_yet_earned":', s.not_yet_earned,
    ',"forfeited":', s.forfeited, '},"lines":['
) AS head
FROM (FROM line_rows WHERE place = 0) l
JOIN participants p USING (who)
JOIN sums s USING (who)

-- rule: evidence_texts
-- Section 4.2, evidence: of a plain line the names of its events, one after another.
SELECT l.*, c.instalment,
    CASE
        WHEN is_plain IS NOT TRUE THEN s.evidence
        WHEN l.place = 0 THEN p.training_names
        WHEN c.is_survey THEN concat_ws(',', nullif({survey_names}, ''), d.names)
        ELSE concat_ws(',', p.course_names, d.names)
    END AS evidence
FROM line_rows l
JOIN people p USING (who)
LEFT JOIN cash_places c USING (place)
-- a plain line has one disbursement at the most
LEFT JOIN (SELECT who, place, names FROM disbursements) d
    ON d.who = l.who AND d.place = l.place AND l.is_plain
LEFT JOIN sorted_evidence s ON s.who = l.who AND s.place = l.place

-- rule: statement_pieces
-- Section 4.3: one object a participant, ordered by participant id by code point; a row for each line, the
-- first with the end of the object before it.
SELECT concat(
    coalesce(h.head, ','), '{"line":"', l.line, '","amount":', l.amount, ',"status":"', l.status,
    '","owed":', l.owed, ',"paid":', l.paid, ',"unpaid":', l.unpaid, ',"overdue":', l.overdue,
    ',"in_flight":', l.in_flight, ',"overpaid":', l.overpaid, ',"not_yet_earned":', l.not_yet_earned,
    ',"forfeited":', l.forfeited, ',"earned_on":', quoted_day(l.earned_on),
    ',"due_on":', quoted_day(l.due_on), ',"overdue_working_days":', l.overdue_working_days, ',', w.why,
    ',"evidence":[', l.evidence, ']}'
) AS text
FROM evidence_texts l
JOIN ranks r USING (who)
JOIN cause_texts w ON w.causes = l.causes AND w.first_reason IS NOT DISTINCT FROM l.first_reason
LEFT JOIN heads h ON h.who = l.who AND h.place = l.place
ORDER BY r.rank, l.place

-- rule: unpaid
-- Section 7, `unpaid`: one row per line with money unpaid.
SELECT p.subject AS participant, l.wave, line, unpaid, status, due_on, overdue_working_days, c.cause,
    coalesce(r.owner, c.owner) AS owner
FROM line_rows l
JOIN participants p USING (who)
LEFT JOIN causes c ON c.bit = first_cause(l.causes)
LEFT JOIN reasons r ON r.reason = l.first_reason
WHERE unpaid > 0
