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

-- table: pointed_at
-- Section 4.2, evidence: the events of each line, by their stamps.
SELECT subject, 0 AS place, stamp FROM purchases WHERE counts
UNION ALL
SELECT s.subject, 0, s.stamp FROM seen s JOIN purchases p USING (subject, purchase)
WHERE s.kind = 'purchase-refunded' AND p.counts
UNION ALL
SELECT subject, place, unnest([bought, completed, certified, rated, reviewed])
FROM cash_rows WHERE NOT is_survey
UNION ALL
SELECT subject, place, unnest(list_append({surveys_until}, first_settled))
FROM cash_rows WHERE is_survey
UNION ALL
SELECT s.subject, d.place, s.stamp
FROM seen s JOIN disbursements d USING (subject, disbursement)
UNION ALL
SELECT subject, place, revocation FROM line_rows WHERE status = 'forfeited'
UNION ALL
SELECT subject, place, unnest(
    list_filter(list_concat([completed, certified, rated, reviewed],
        CASE WHEN is_survey THEN list_append({surveys_until}, first_settled) END),
    lambda s: is_late(s)))
FROM cash_rows WHERE has(causes, 'REPORT_LAG')
UNION ALL
SELECT subject, place, hold() << 23 FROM line_rows WHERE has(causes, 'PROGRAMME_HOLD')
UNION ALL
SELECT subject, place, unlinked FROM cash_rows WHERE has(causes, 'ACCOUNT_NOT_ON_RECORD')
UNION ALL
SELECT subject, place, linked FROM cash_rows
WHERE has(causes, 'ACCOUNT_NOT_VERIFIED') OR has(causes, 'ACCOUNT_REJECTED')
UNION ALL
SELECT subject, place, word FROM cash_rows WHERE has(causes, 'ACCOUNT_REJECTED')

-- rule: evidence
-- Section 4.2: each once, in the order of events.
SELECT p.subject, p.place,
    string_agg('{"source":' || quoted(s.source) || ',"id":' || quoted(s.id) || '}', ','
        ORDER BY s.time, s.known_at, s.position) AS evidence
FROM (SELECT DISTINCT subject, place, n_of(stamp) AS n FROM pointed_at WHERE stamp IS NOT NULL) p
JOIN recorded s USING (n)
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

-- rule: line_texts
-- Section 4.3, one line.
SELECT l.*,
    '{"line":"' || line || '","amount":' || amount || ',"status":"' || status
    || '","owed":' || owed || ',"paid":' || paid || ',"unpaid":' || unpaid
    || ',"overdue":' || overdue || ',"in_flight":' || in_flight || ',"overpaid":' || overpaid
    || ',"not_yet_earned":' || not_yet_earned || ',"forfeited":' || forfeited
    || ',"earned_on":' || quoted_day(earned_on) || ',"due_on":' || quoted_day(due_on)
    || ',"overdue_working_days":' || overdue_working_days || ',' || why
    || ',"evidence":[' || coalesce(evidence, '') || ']}' AS text
FROM line_rows l
JOIN cause_texts w ON w.causes = l.causes AND w.first_reason IS NOT DISTINCT FROM l.first_reason
LEFT JOIN evidence e ON e.subject = l.subject AND e.place = l.place

-- rule: statements
-- Section 4.3: one object a participant, ordered by participant id by code point.
SELECT
    '{"participant":' || quoted(subject) || ',"wave":' || any_value(wave)
    || ',"scheme":' || quoted(any_value(scheme)) || ',"standing":"' || 
    CASE WHEN any_value(revocation) IS NULL THEN 'active' ELSE 'revoked' END || '","as_of":' || quoted_day(as_of()) || ',"known_at":' || getvariable('known_at_text')
    || ',"totals":{"entitlement":' || sum(amount) || ',"owed":' || sum(owed)
    || ',"paid":' || sum(paid) || ',"unpaid":' || sum(unpaid) || ',"overdue":' || sum(overdue)
    || ',"in_flight":' || sum(in_flight) || ',"overpaid":' || sum(overpaid)
    || ',"not_yet_earned":' || sum(not_yet_earned) || ',"forfeited":' || sum(forfeited)
    || '},"lines":[' || string_agg(text, ',' ORDER BY place) || ']}' AS text
FROM line_texts
GROUP BY subject
ORDER BY subject
