-- Statements as `statement --json` prints them (contract, section 4.3), from the table `line_rows`.

-- rule: unlinkings
-- Section 4.2, ACCOUNT_NOT_ON_RECORD: the unlinking that left none.
SELECT s.subject, min(s.stamp) AS unlinked
FROM seen s
JOIN accounts a USING (subject, account)
WHERE s.kind = 'account-unlinked' AND a.is_unlinked AND s.stamp > a.linked
GROUP BY s.subject

-- rule: cash_rows
SELECT l.*, p.* EXCLUDE (subject, enrolled, wave, scheme, revocation), u.unlinked, c.is_survey, c.instalment
FROM line_rows l
JOIN people p USING (subject)
JOIN cash_places c USING (place)
LEFT JOIN unlinkings u USING (subject)

-- table: intricate
-- The lines whose evidence is not plain.
SELECT subject, enrolled, place, status, causes, revocation FROM line_rows WHERE evidence IS NULL

-- rule: intricate_cash
SELECT * FROM cash_rows SEMI JOIN intricate USING (enrolled, place)

-- rule: intricate_training
SELECT subject FROM intricate WHERE place = 0

-- rule: named_events
SELECT n, name, time, known_at, position FROM recorded
UNION ALL
SELECT n, name, time, known_at, position FROM common

-- rule: pointed_at
-- Section 4.2, evidence: the events of each line, by their stamps.
SELECT subject, 0 AS place, stamp FROM purchases SEMI JOIN intricate_training USING (subject) WHERE counts
UNION ALL
SELECT s.subject, 0, s.stamp
FROM few_seen s
JOIN purchases p USING (subject, purchase)
SEMI JOIN intricate_training i ON i.subject = s.subject
WHERE s.kind = 'purchase-refunded' AND p.counts
UNION ALL
SELECT subject, place, unnest([bought, completed, certified, rated, reviewed])
FROM intricate_cash WHERE NOT is_survey
UNION ALL
SELECT subject, place, unnest(list_append({surveys_until}, first_settled))
FROM intricate_cash WHERE is_survey
UNION ALL
SELECT s.subject, d.place, s.stamp
FROM (SELECT subject, disbursement, stamp FROM seen WHERE disbursement IS NOT NULL) s
JOIN disbursements d USING (subject, disbursement)
SEMI JOIN intricate i ON i.subject = s.subject AND i.place = d.place
UNION ALL
SELECT subject, place, revocation FROM intricate WHERE status = 'forfeited'
UNION ALL
SELECT subject, place, unnest(
    list_filter(list_concat([completed, certified, rated, reviewed],
        CASE WHEN is_survey THEN list_append({surveys_until}, first_settled) END),
    lambda s: is_late(s)))
FROM intricate_cash WHERE has(causes, 'REPORT_LAG')
UNION ALL
SELECT subject, place, hold() << 23 FROM intricate WHERE has(causes, 'PROGRAMME_HOLD')
UNION ALL
SELECT subject, place, unlinked FROM intricate_cash WHERE has(causes, 'ACCOUNT_NOT_ON_RECORD')
UNION ALL
SELECT subject, place, linked FROM intricate_cash
WHERE has(causes, 'ACCOUNT_NOT_VERIFIED') OR has(causes, 'ACCOUNT_REJECTED')
UNION ALL
SELECT subject, place, word FROM intricate_cash WHERE has(causes, 'ACCOUNT_REJECTED')

-- table: sorted_evidence
-- Section 4.2: each once, in the order of events.
SELECT p.subject, p.place,
    string_agg(s.name, ',' ORDER BY s.time, s.known_at, s.position) AS evidence
FROM (SELECT DISTINCT subject, place, n_of(stamp) AS n FROM pointed_at WHERE stamp IS NOT NULL) p
JOIN named_events s USING (n)
GROUP BY p.subject, p.place

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
SELECT enrolled, sum(amount) AS entitlement, sum(owed) AS owed, sum(paid) AS paid,
    sum(unpaid) AS unpaid, sum(overdue) AS overdue, sum(in_flight) AS in_flight,
    sum(overpaid) AS overpaid, sum(not_yet_earned) AS not_yet_earned, sum(forfeited) AS forfeited
FROM line_rows
GROUP BY enrolled

-- rule: heads
-- Section 4.3: what stands before the lines of a participant.
SELECT l.enrolled, 0 AS place, concat(
    ']}', chr(10), '{"participant":', quoted(l.subject), ',"wave":', l.wave,
    ',"scheme":', quoted(l.scheme), ',"standing":"',
    CASE WHEN l.revocation IS NULL THEN 'active' ELSE 'revoked' END,
    '","as_of":', quoted_day(as_of()), ',"known_at":', getvariable('known_at_text'),
    ',"totals":{"entitlement":', s.entitlement, ',"owed":', s.owed, ',"paid":', s.paid,
    ',"unpaid":', s.unpaid, ',"overdue":', s.overdue, ',"in_flight":', s.in_flight,
    ',"overpaid":', s.overpaid, ',"not_yet_earned":', s.not_yet_earned,
    ',"forfeited":', s.forfeited, '},"lines":['
) AS head
FROM (FROM line_rows WHERE place = 0) l
JOIN sums s USING (enrolled)

-- rule: statement_pieces
-- Section 4.3: one object a participant, ordered by participant id by code point; a row for each line, the
-- first with the end of the object before it.
SELECT concat(
    coalesce(h.head, ','), '{"line":"', l.line, '","amount":', l.amount, ',"status":"', l.status,
    '","owed":', l.owed, ',"paid":', l.paid, ',"unpaid":', l.unpaid, ',"overdue":', l.overdue,
    ',"in_flight":', l.in_flight, ',"overpaid":', l.overpaid, ',"not_yet_earned":', l.not_yet_earned,
    ',"forfeited":', l.forfeited, ',"earned_on":', quoted_day(l.earned_on),
    ',"due_on":', quoted_day(l.due_on), ',"overdue_working_days":', l.overdue_working_days, ',', w.why,
    ',"evidence":[', l.evidence, s.evidence, ']}'
) AS text
FROM line_rows l
JOIN cause_texts w ON w.causes = l.causes AND w.first_reason IS NOT DISTINCT FROM l.first_reason
LEFT JOIN sorted_evidence s ON s.subject = l.subject AND s.place = l.place
LEFT JOIN heads h ON h.enrolled = l.enrolled AND h.place = l.place
ORDER BY l.subject, l.place

-- rule: unpaid
-- Section 7, `unpaid`: one row per line with money unpaid.
SELECT subject AS participant, wave, line, unpaid, status, due_on, overdue_working_days, c.cause,
    coalesce(r.owner, c.owner) AS owner
FROM line_rows l
LEFT JOIN causes c ON c.bit = first_cause(l.causes)
LEFT JOIN reasons r ON r.reason = l.first_reason
WHERE unpaid > 0
