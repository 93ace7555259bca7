-- Statements as `statement --json` prints them (contract, section 4.3), from the table `line_rows`.

-- rule: pointed_at
-- Section 4.2, evidence: the events of each line, by `n`.
SELECT subject, 0 AS place, n FROM purchases WHERE counts
UNION ALL
SELECT s.subject, 0, s.n FROM seen s JOIN purchases p USING (subject, purchase)
WHERE s.kind = 'purchase-refunded' AND p.counts
UNION ALL
SELECT subject, place, unnest([first.bought, first.completed, first.certified, first.rated, first.reviewed])
FROM line_rows WHERE component = 'post-training'
UNION ALL
SELECT subject, place, unnest(list_concat([s.n for s in submitted[1:instalment]], [first_settled.n]))
FROM line_rows WHERE component = 'survey'
UNION ALL
SELECT s.subject, d.place, s.n
FROM seen s JOIN disbursements d USING (subject, disbursement)
UNION ALL
SELECT subject, place, revocation FROM line_rows WHERE causes & because('REVOKED') <> 0
   OR (status = 'forfeited' AND place > 0)
UNION ALL
SELECT subject, place, unnest(late) FROM line_rows WHERE causes & because('REPORT_LAG') <> 0
UNION ALL
SELECT subject, place, hold() FROM line_rows WHERE causes & because('PROGRAMME_HOLD') <> 0
UNION ALL
SELECT subject, place, account.unlinked FROM line_rows WHERE causes & because('ACCOUNT_NOT_ON_RECORD') <> 0
UNION ALL
SELECT subject, place, account.linked FROM line_rows
WHERE causes & (because('ACCOUNT_NOT_VERIFIED') | because('ACCOUNT_REJECTED')) <> 0
UNION ALL
SELECT subject, place, account.word FROM line_rows WHERE causes & because('ACCOUNT_REJECTED') <> 0

-- rule: evidence
-- Section 4.2: each once, in the order of events.
SELECT p.subject, p.place,
    string_agg('{"source":' || quoted(s.source) || ',"id":' || quoted(s.id) || '}', ','
        ORDER BY s.time, s.known_at, s.position) AS evidence
FROM (SELECT DISTINCT * FROM pointed_at WHERE n IS NOT NULL) p
JOIN seen s USING (n)
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
    || ',"scheme":' || quoted(any_value(scheme)) || ',"standing":"' || any_value(standing)
    || '","as_of":' || quoted_day(as_of()) || ',"known_at":' || getvariable('known_at_text')
    || ',"totals":{"entitlement":' || sum(amount) || ',"owed":' || sum(owed)
    || ',"paid":' || sum(paid) || ',"unpaid":' || sum(unpaid) || ',"overdue":' || sum(overdue)
    || ',"in_flight":' || sum(in_flight) || ',"overpaid":' || sum(overpaid)
    || ',"not_yet_earned":' || sum(not_yet_earned) || ',"forfeited":' || sum(forfeited)
    || '},"lines":[' || string_agg(text, ',' ORDER BY place) || ']}' AS text
FROM line_texts
GROUP BY subject
ORDER BY subject
