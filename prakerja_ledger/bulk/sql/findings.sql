-- Findings (contract, section 5), one rule a code. Each has `evidence`, the places `n` of its events.

-- table: judged_lines
-- The lines of everybody who has a statement, also where the list of holidays is too short for one.
SELECT subject, place, line, amount, paid, overpaid, earned, earned_on FROM lines

-- rule: standing_moves
SELECT subject, stamp, kind = 'participation-revoked' AS is_revocation
FROM seen
WHERE kind IN ('participation-revoked', 'participation-reinstated')

-- table: payments
-- Instructions and settlements of everybody who has a statement.
SELECT
    s.subject, s.kind, s.stamp, s.account, s.disbursement, d.place, d.instructed, d.failed,
    coalesce(s.amount, d.amount) AS amount
FROM seen s
JOIN disbursements d USING (subject, disbursement)
SEMI JOIN participants p ON p.subject = s.subject
WHERE s.kind IN ('disbursement-instructed', 'disbursement-settled')

-- rule: reinstated_before
SELECT p.stamp, max(m.stamp) AS reinstated
FROM payments p
JOIN standing_moves m ON m.subject = p.subject AND m.stamp < p.stamp
WHERE NOT m.is_revocation
GROUP BY p.stamp

-- rule: revoked_then
-- The revocation by which the participant stood revoked at a payment.
SELECT p.stamp, min(m.stamp) AS revocation
FROM payments p
JOIN standing_moves m ON m.subject = p.subject AND m.stamp < p.stamp
LEFT JOIN reinstated_before r ON r.stamp = p.stamp
WHERE m.is_revocation AND m.stamp > coalesce(r.reinstated, -1)
GROUP BY p.stamp

-- rule: linked_before
-- The account linked last before a settlement.
SELECT p.*, l.account AS linked_account, l.stamp AS linked
FROM (FROM payments WHERE kind = 'disbursement-settled') p
ASOF LEFT JOIN (FROM seen WHERE kind = 'account-linked') l
    ON l.subject = p.subject AND p.stamp > l.stamp

-- rule: heard_before
-- The latest word on that account since, and its latest unlinking.
SELECT p.*, h.kind AS word, h.stamp AS heard, u.stamp AS unlinked
FROM linked_before p
ASOF LEFT JOIN (FROM seen WHERE kind IN ('account-verified', 'account-rejected')) h
    ON h.subject = p.subject AND h.account = p.linked_account AND p.stamp > h.stamp
ASOF LEFT JOIN (FROM seen WHERE kind = 'account-unlinked') u
    ON u.subject = p.subject AND u.account = p.linked_account AND p.stamp > u.stamp

-- table: settlements
-- Each settlement, with the line it counts on and how the participant stood when it happened.
SELECT
    h.subject, h.stamp, h.disbursement, h.place, h.amount, h.instructed, h.failed,
    v.revocation,
    CASE WHEN unlinked IS NULL OR unlinked < linked THEN linked END AS link,
    CASE WHEN unlinked IS NULL OR unlinked < linked THEN linked_account END AS linked_account,
    coalesce(link IS NOT NULL AND heard > linked AND word = 'account-verified', false) AS is_verified,
    l.line, l.earned, l.earned_on,
    '{"line":' || quoted(l.line) || ',"disbursement":' || quoted(h.disbursement) AS detail
FROM heard_before h
JOIN judged_lines l USING (subject, place)
LEFT JOIN revoked_then v ON v.stamp = h.stamp

-- rule: paid_unearned
SELECT 'PAID_UNEARNED' AS code, subject, day_of(stamp) AS dated, amount,
    detail || ',"earned_on":' || quoted_day(earned_on) || '}' AS detail, [n_of(stamp)] AS evidence
FROM settlements
WHERE NOT earned OR day_of(stamp) < earned_on

-- rule: paid_after_revocation
SELECT 'PAID_AFTER_REVOCATION' AS code, subject, day_of(stamp) AS dated, amount,
    detail || '}' AS detail, [n_of(stamp), n_of(revocation)] AS evidence
FROM settlements
WHERE revocation IS NOT NULL AND day_of(stamp) > day_of(revocation)

-- rule: paid_without_verified_account
SELECT 'PAID_WITHOUT_VERIFIED_ACCOUNT' AS code, subject, day_of(stamp) AS dated, amount,
    detail || '}' AS detail, [n_of(stamp)] AS evidence
FROM settlements
WHERE NOT is_verified

-- rule: paid_to_other_account
SELECT 'PAID_TO_OTHER_ACCOUNT' AS code, s.subject, day_of(s.stamp) AS dated, s.amount,
    s.detail || ',"account":' || quoted(i.account) || '}' AS detail,
    [n_of(s.stamp), n_of(i.stamp), n_of(s.link)] AS evidence
FROM settlements s
JOIN (FROM payments WHERE kind = 'disbursement-instructed') i ON i.stamp = s.instructed
WHERE i.account IS NOT NULL AND s.linked_account IS DISTINCT FROM i.account

-- rule: settled_after_failure
SELECT 'SETTLED_AFTER_FAILURE' AS code, subject, day_of(stamp) AS dated, amount,
    detail || '}' AS detail, [n_of(stamp), n_of(failed)] AS evidence
FROM settlements
WHERE failed < stamp

-- rule: paid_twice
SELECT 'PAID_TWICE' AS code, s.subject, day_of(max(s.stamp)) AS dated,
    any_value(l.paid - l.amount) AS amount,
    '{"line":' || quoted(any_value(l.line)) || '}' AS detail, list(n_of(s.stamp)) AS evidence
FROM settlements s
JOIN judged_lines l USING (subject, place)
WHERE l.paid > l.amount
GROUP BY s.subject, s.place
HAVING count(*) > 1

-- rule: before_instructions
-- What happened to each disbursement of a line before an instruction on that line.
SELECT
    i.stamp AS instruction, e.disbursement,
    sum(CASE e.kind
        WHEN 'disbursement-settled' THEN coalesce(e.amount, d.amount)
        WHEN 'disbursement-returned' THEN -coalesce(e.amount, t.took)
        ELSE 0 END) AS remains,
    list(n_of(e.stamp)) FILTER (e.kind = 'disbursement-settled') AS settlements,
    CASE WHEN bool_or(e.kind IN ('disbursement-settled', 'disbursement-failed')) THEN NULL
        ELSE max(CASE WHEN e.kind = 'disbursement-instructed' THEN n_of(e.stamp) END) END AS open
FROM (FROM payments WHERE kind = 'disbursement-instructed') i
JOIN disbursements d USING (subject, place)
JOIN seen e ON e.subject = d.subject AND e.disbursement = d.disbursement AND e.stamp < i.stamp
LEFT JOIN returned_all t ON t.n = e.n
GROUP BY i.stamp, e.disbursement

-- rule: lines_before_instructions
SELECT
    instruction,
    sum(greatest(0, remains)) AS paid,
    flatten(list(settlements)) AS settlements,
    list(open) FILTER (open IS NOT NULL) AS open
FROM before_instructions
GROUP BY instruction

-- table: instructions
SELECT
    i.subject, i.stamp, i.amount, i.disbursement, l.line, v.revocation,
    i.amount > l.amount AS is_over_amount,
    coalesce(b.paid, 0) >= l.amount AS is_already_paid,
    b.open IS NOT NULL AS is_in_flight,
    NOT l.earned OR l.earned_on > day_of(i.stamp) AS is_not_earned,
    v.revocation IS NOT NULL AS is_revoked,
    b.settlements, b.open
FROM (FROM payments WHERE kind = 'disbursement-instructed') i
JOIN judged_lines l USING (subject, place)
LEFT JOIN lines_before_instructions b ON b.instruction = i.stamp
LEFT JOIN revoked_then v ON v.stamp = i.stamp

-- rule: instructed_unduly
SELECT 'INSTRUCTED_UNDULY' AS code, subject, day_of(stamp) AS dated, amount,
    '{"line":' || quoted(line) || ',"disbursement":' || quoted(disbursement) || ',"why":['
    || array_to_string(list_filter([
        CASE WHEN is_over_amount THEN '"over-amount"' END,
        CASE WHEN is_already_paid THEN '"already-paid"' END,
        CASE WHEN is_in_flight THEN '"in-flight"' END,
        CASE WHEN is_not_earned THEN '"not-earned"' END,
        CASE WHEN is_revoked THEN '"revoked"' END
    ], lambda why: why IS NOT NULL), ',') || ']}' AS detail,
    list_concat([n_of(stamp), n_of(revocation)],
        CASE WHEN is_already_paid THEN settlements END, CASE WHEN is_in_flight THEN open END) AS evidence
FROM instructions
WHERE is_over_amount OR is_already_paid OR is_in_flight OR is_not_earned OR is_revoked

-- table: own_purchases
-- Purchases of everybody who has a statement.
SELECT * FROM purchases SEMI JOIN participants USING (subject)

-- table: offers
-- The offer of each package that is in view; the first where a hidden void leaves two.
SELECT subject AS package, platform, price, courses, stamp
FROM common
WHERE is_seen AND kind = 'package-offered'
QUALIFY row_number() OVER (PARTITION BY subject ORDER BY stamp) = 1

-- rule: package_other_platform
SELECT 'PACKAGE_OTHER_PLATFORM' AS code, b.subject, day_of(b.stamp) AS dated, b.price AS amount,
    '{"purchase":' || quoted(purchase) || ',"package":' || quoted(package) || ',"platform":'
    || quoted(b.platform) || ',"offered_by":' || quoted(o.platform) || '}' AS detail,
    [n_of(b.stamp), n_of(o.stamp)] AS evidence
FROM own_purchases b
JOIN offers o USING (package)
WHERE b.platform <> o.platform

-- rule: stops
-- The stop of each platform's package sales that takes effect first; of several, the first.
SELECT *
FROM (
    SELECT unnest(platforms) AS platform, notice, effective, stamp
    FROM common
    WHERE is_seen AND kind = 'package-sales-stopped'
)
QUALIFY row_number() OVER (PARTITION BY platform ORDER BY effective, stamp) = 1

-- rule: package_sold_after_stop
SELECT 'PACKAGE_SOLD_AFTER_STOP' AS code, b.subject, day_of(b.stamp) AS dated, b.price AS amount,
    '{"purchase":' || quoted(purchase) || ',"package":' || quoted(package) || ',"platform":'
    || quoted(platform) || ',"notice":' || quoted(s.notice) || ',"effective":'
    || quoted_day(s.effective) || '}' AS detail,
    [n_of(b.stamp), n_of(s.stamp)] AS evidence
FROM own_purchases b
JOIN stops s USING (platform)
WHERE b.package IS NOT NULL AND b.method = 'prakerja' AND day_of(b.stamp) >= s.effective

-- table: package_courses
-- The courses of counting package purchases, with their completions.
SELECT b.subject, b.purchase, b.package, b.platform, b.stamp, b.course, b.institution, c.completed
FROM (
    SELECT * EXCLUDE (one), one.course, one.institution
    FROM (SELECT subject, purchase, package, platform, stamp, unnest(courses) AS one
        FROM own_purchases WHERE counts AND package IS NOT NULL)
) b
LEFT JOIN courses c USING (subject, course)

-- rule: package_purchases
SELECT
    subject, purchase, package, stamp,
    CASE WHEN count(*) = count(completed) THEN max(day_of(completed)) END AS finished_on,
    list({'course': course, 'completed_on': day_of(completed)}) AS courses
FROM package_courses
GROUP BY subject, purchase, package, stamp

-- rule: cash
SELECT subject, sum(amount) AS amount FROM settlements GROUP BY subject

-- rule: first_cash_since
-- The first settlement dated on or after a package purchase.
SELECT b.*, c.amount, min(s.stamp) AS settled
FROM package_purchases b
JOIN settlements s ON s.subject = b.subject AND day_of(s.stamp) >= day_of(b.stamp)
JOIN cash c ON c.subject = b.subject
GROUP BY ALL

-- rule: cash_before_package_done
-- If all courses were completed by that settlement, they were by every later one.
SELECT 'CASH_BEFORE_PACKAGE_DONE' AS code, subject, day_of(settled) AS dated, amount,
    '{"purchase":' || quoted(purchase) || ',"package":' || quoted(package) || ',"open":['
    || array_to_string([quoted(name) for name in list_sort([one.course for one in courses
        if one.completed_on IS NULL OR one.completed_on > day_of(settled)])], ',')
    || '],"finished_on":' || quoted_day(finished_on) || '}' AS detail,
    [n_of(settled), n_of(stamp)] AS evidence
FROM first_cash_since
WHERE finished_on IS NULL OR finished_on > day_of(settled)

-- rule: rated_dimensions
SELECT subject, course,
    bool_or(instructor IS NOT NULL) AS instructor,
    bool_or(facilities IS NOT NULL) AS facilities,
    bool_or(programme IS NOT NULL) AS programme
FROM seen
WHERE kind = 'course-rated'
GROUP BY subject, course

-- rule: course_unrated
SELECT 'COURSE_UNRATED' AS code, b.subject, day_of(b.completed) AS dated, NULL AS amount,
    '{"purchase":' || quoted(purchase) || ',"course":' || quoted(course) || ',"institution":'
    || quoted(institution) || ',"platform":' || quoted(platform) || ',"missing":['
    || array_to_string(list_filter([
        CASE WHEN r.instructor IS NOT TRUE THEN '"instructor"' END,
        CASE WHEN r.facilities IS NOT TRUE THEN '"facilities"' END,
        CASE WHEN r.programme IS NOT TRUE THEN '"programme"' END
    ], lambda one: one IS NOT NULL), ',') || ']}' AS detail,
    [n_of(b.completed), n_of(b.stamp)] AS evidence
FROM package_courses b
LEFT JOIN rated_dimensions r USING (subject, course)
WHERE b.completed IS NOT NULL
    AND NOT coalesce(r.instructor AND r.facilities AND r.programme, false)

-- rule: evaluated
-- Courses that somebody with a statement rated, or bought outside a package.
SELECT course FROM rated_dimensions SEMI JOIN participants USING (subject)
UNION
SELECT unnest(courses).course FROM own_purchases WHERE package IS NULL

-- rule: spending
-- Counting purchases and their refunds, in order, with what was spent so far.
SELECT *, sum(amount) OVER (PARTITION BY subject ORDER BY stamp) AS spent_so_far
FROM (
    SELECT subject, stamp, price AS amount, true AS is_purchase FROM purchases WHERE counts
    UNION ALL
    SELECT s.subject, s.stamp, -s.amount, false
    FROM seen s JOIN purchases p USING (subject, purchase)
    WHERE s.kind = 'purchase-refunded' AND p.counts
)
SEMI JOIN (FROM judged_lines WHERE place = 0 AND overpaid > 0) USING (subject)

-- rule: balance_overspent
SELECT 'BALANCE_OVERSPENT' AS code, s.subject,
    day_of(min(s.stamp) FILTER (is_purchase AND spent_so_far > l.amount)) AS dated,
    any_value(l.overpaid) AS amount, '{}' AS detail, list(n_of(s.stamp)) AS evidence
FROM spending s
JOIN (FROM judged_lines WHERE place = 0) l USING (subject)
GROUP BY s.subject
HAVING dated IS NOT NULL

-- rule: first_purchase_late
SELECT 'FIRST_PURCHASE_LATE' AS code, g.subject,
    within_dates(day_of(g.enrolled) + c.first_purchase_days + 1) AS dated, NULL AS amount,
    '{"limit":' || quoted_day(day_of(g.enrolled) + c.first_purchase_days) || '}' AS detail,
    [n_of(g.enrolled), n_of(t.first_purchase)] AS evidence
FROM people g
JOIN scheme_rules c USING (scheme)
LEFT JOIN spent t USING (subject)
WHERE g.revocation IS NULL
    AND coalesce(day_of(t.first_purchase) > day_of(g.enrolled) + c.first_purchase_days, true)

-- rule: account_users
-- Who linked an account, by provider and token, each with the first link.
SELECT provider, account, subject, min(stamp) AS stamp
FROM seen
SEMI JOIN participants USING (subject)
WHERE kind = 'account-linked'
GROUP BY provider, account, subject

-- rule: certificate_pairs
SELECT s.certificate, s.subject, s.course, s.stamp
FROM seen s
JOIN courses c ON c.certified = s.stamp
SEMI JOIN participants p ON p.subject = s.subject

-- rule: certificate_before_completion
SELECT 'CERTIFICATE_BEFORE_COMPLETION' AS code, subject, day_of(stamp) AS dated, NULL AS amount,
    '{"course":' || quoted(course) || ',"certificate":' || quoted(certificate) || '}' AS detail,
    [n_of(stamp), n_of(completed)] AS evidence
FROM certificate_pairs
JOIN courses USING (subject, course)
WHERE coalesce(stamp < completed, true)

-- rule: survey_out_of_order
SELECT 'SURVEY_OUT_OF_ORDER' AS code, subject, day_of(stamp) AS dated, NULL AS amount,
    '{"survey":' || survey || '}' AS detail, [n_of(stamp)] AS evidence
FROM (
    SELECT subject, survey, min(stamp) AS stamp
    FROM seen SEMI JOIN participants USING (subject)
    WHERE kind = 'survey-submitted'
    GROUP BY subject, survey
) s
WHERE survey - 1 > (
    SELECT count(DISTINCT o.survey) FROM seen o
    WHERE o.kind = 'survey-submitted' AND o.subject = s.subject AND o.survey < s.survey
        AND o.stamp < s.stamp)

-- rule: wave_outside_scheme
SELECT 'WAVE_OUTSIDE_SCHEME' AS code, subject, day_of(enrolled) AS dated, NULL AS amount,
    '{"wave":' || wave || ',"scheme":' || quoted(scheme) || '}' AS detail,
    [n_of(enrolled), n_of(corrected)] AS evidence
FROM participants
JOIN scheme_rules USING (scheme)
WHERE NOT (wave BETWEEN least(waves_from, waves_until + 1) AND greatest(waves_from, waves_until - 1)
    AND (wave - waves_from) % waves_step = 0)

-- rule: late_reports
-- Fewer than ten days never hold ten working days.
SELECT
    s.subject, s.stamp, s.kind, s.course, w.later_on AS dated,
    day_of(s.stamp) AS happened_on, CAST(s.known_at + INTERVAL 7 HOUR AS DATE) AS learned_on
FROM seen s
SEMI JOIN participants p ON p.subject = s.subject
LEFT JOIN working_days_later w ON w.day = day_of(s.stamp) AND w.days = {late_after}
WHERE s.kind IN ('course-completed', 'certificate-issued', 'course-rated')
    AND CAST(s.known_at + INTERVAL 7 HOUR AS DATE) - day_of(s.stamp) >= {late_after}

-- rule: reported_late
SELECT 'REPORTED_LATE' AS code, subject, dated, NULL AS amount,
    '{"type":"' || kind || '","course":' || quoted(course) || '}' AS detail,
    [n_of(stamp)] AS evidence
FROM late_reports
WHERE learned_on >= dated

-- rule: undecided
-- Section 3: reports that the list of holidays is too short to judge.
SELECT subject, stamp,
    CASE WHEN happened_on BETWEEN calendar_first() - 1 AND calendar_last()
        THEN calendar_last() + 1 ELSE happened_on END AS needed
FROM late_reports
WHERE dated IS NULL
    AND NOT (calendar_first() <= happened_on AND happened_on <= as_of() AND as_of() <= calendar_last())

-- table: found
-- Listed when dated by D.
SELECT row_number() OVER () AS number, *
FROM (
    SELECT * FROM paid_unearned
    UNION ALL BY NAME SELECT * FROM paid_after_revocation
    UNION ALL BY NAME SELECT * FROM paid_without_verified_account
    UNION ALL BY NAME SELECT * FROM paid_to_other_account
    UNION ALL BY NAME SELECT * FROM settled_after_failure
    UNION ALL BY NAME SELECT * FROM paid_twice
    UNION ALL BY NAME SELECT * FROM instructed_unduly
    UNION ALL BY NAME SELECT * FROM package_other_platform
    UNION ALL BY NAME SELECT * FROM package_sold_after_stop
    UNION ALL BY NAME SELECT * FROM cash_before_package_done
    UNION ALL BY NAME SELECT * FROM course_unrated
    UNION ALL BY NAME SELECT * FROM balance_overspent
    UNION ALL BY NAME SELECT * FROM first_purchase_late
    UNION ALL BY NAME SELECT * FROM certificate_before_completion
    UNION ALL BY NAME SELECT * FROM survey_out_of_order
    UNION ALL BY NAME SELECT * FROM wave_outside_scheme
    UNION ALL BY NAME SELECT * FROM reported_late
)
WHERE dated <= as_of()

-- rule: found_evidence
-- Each once, in the order of events.
SELECT number,
    string_agg(s.name, ',' ORDER BY s.time, s.known_at, s.position) AS names,
    list((s.time, s.known_at, s.position) ORDER BY s.time, s.known_at, s.position) AS places
FROM (SELECT DISTINCT number, unnest(evidence) AS n FROM found) f
JOIN named_events s USING (n)
GROUP BY number

-- rule: own_findings
-- Section 5: as `findings --json` prints them, with what they are sorted by.
SELECT dated, subject, code, detail, places, concat(
    '{"code":"', code, '","subject":', quoted(subject), ',"date":', quoted_day(dated), ',"amount":',
    coalesce(CAST(amount AS VARCHAR), 'null'), ',"detail":', detail, ',"evidence":[', names, ']}', chr(10)
) AS text
FROM found
JOIN found_evidence USING (number)

-- What follows comes of several participants, or of none: of the tables that the parts gathered.

-- rule: package_bundles_courses
SELECT 'PACKAGE_BUNDLES_COURSES' AS code, package AS subject, day_of(stamp) AS dated, price AS amount,
    '{"courses":' || len(courses) || ',"institutions":'
    || list_unique([one.institution for one in courses]) || '}' AS detail, [n_of(stamp)] AS evidence
FROM offers
WHERE len(courses) > 1

-- rule: course_not_evaluable
SELECT 'COURSE_NOT_EVALUABLE' AS code, o.course AS subject,
    day_of(arg_min(o.stamp, (e.time, e.known_at, e.position))) AS dated, NULL AS amount,
    '{"packages":[' || array_to_string([quoted(name) for name in list_sort(list(o.package))], ',')
    || ']}' AS detail, list(n_of(o.stamp)) AS evidence
FROM (SELECT package, stamp, unnest(courses).course AS course FROM offers) o
JOIN whole e ON e.n = n_of(o.stamp)
ANTI JOIN evaluated_courses v ON v.course = o.course
GROUP BY o.course

-- rule: uses
-- Accounts and certificate numbers that several use.
SELECT 'SHARED_ACCOUNT' AS code, subject, stamp,
    '{"provider":' || quoted(provider) || ',"account":' || quoted(account) || ',"participants":' AS detail,
    [provider, account] AS thing
FROM account_uses
WHERE (provider, account) IN (SELECT (provider, account) FROM account_uses GROUP BY ALL HAVING count(*) > 1)
UNION ALL
SELECT 'DUPLICATE_CERTIFICATE', subject, stamp,
    '{"course":' || quoted(course) || ',"certificate":' || quoted(certificate) || ',"pairs":',
    [certificate]
FROM certificate_uses
WHERE certificate IN (SELECT certificate FROM certificate_uses GROUP BY ALL HAVING count(*) > 1)

-- rule: used_by_several
-- Each use is dated by itself, the first by the second; its evidence is itself and the first of the others.
SELECT
    code, u.subject,
    row_number() OVER used AS rank,
    day_of(CASE WHEN rank = 1 THEN nth_value(u.stamp, 2) OVER every ELSE u.stamp END) AS dated,
    NULL AS amount,
    detail || count(*) OVER every || '}' AS detail,
    [n_of(u.stamp), n_of(CASE WHEN rank = 1 THEN nth_value(u.stamp, 2) OVER every
        ELSE first_value(u.stamp) OVER every END)] AS evidence
FROM uses u
JOIN whole e ON e.n = n_of(u.stamp)
WINDOW
    used AS (PARTITION BY code, thing ORDER BY e.time, e.known_at, e.position),
    every AS (PARTITION BY code, thing ORDER BY e.time, e.known_at, e.position
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)

-- table: found_shared
SELECT row_number() OVER () AS number, *
FROM (
    SELECT * FROM package_bundles_courses
    UNION ALL BY NAME SELECT * FROM course_not_evaluable
    UNION ALL BY NAME SELECT * EXCLUDE (rank) FROM used_by_several
)
WHERE dated <= as_of()

-- rule: found_shared_evidence
SELECT number,
    string_agg(s.name, ',' ORDER BY s.time, s.known_at, s.position) AS names,
    list((s.time, s.known_at, s.position) ORDER BY s.time, s.known_at, s.position) AS places
FROM (SELECT DISTINCT number, unnest(evidence) AS n FROM found_shared) f
JOIN whole s USING (n)
GROUP BY number

-- rule: shared_findings
SELECT dated, subject, code, detail, places, concat(
    '{"code":"', code, '","subject":', quoted(subject), ',"date":', quoted_day(dated), ',"amount":',
    coalesce(CAST(amount AS VARCHAR), 'null'), ',"detail":', detail, ',"evidence":[', names, ']}', chr(10)
) AS text
FROM found_shared
JOIN found_shared_evidence USING (number)
