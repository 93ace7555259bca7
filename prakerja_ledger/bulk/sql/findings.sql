-- Findings (contract, section 5), one rule a code. Each has `evidence`, the
-- stamps of its events, and `shared_evidence`, the positions of those of packages and the programme.

-- table: judged_lines
-- The lines of everybody who has a statement, also where the list of holidays is too short for one.
SELECT who, place, line, amount, paid, overpaid, earned, earned_on FROM lines

-- rule: standing_moves
SELECT who, stamp, kind = 'participation-revoked' AS is_revocation
FROM few_seen
WHERE kind IN ('participation-revoked', 'participation-reinstated')

-- table: settlements_made
-- Each settlement of everybody who has a statement. Where a disbursement has one, it was read with it.
SELECT
    who, disbursement, disbursement_id, place, paid_to, instructed, failed,
    first_settled AS stamp, settled AS amount
FROM disbursements
SEMI JOIN participants USING (who)
WHERE settlements = 1
UNION ALL
SELECT
    d.who, d.disbursement, d.disbursement_id, d.place, d.paid_to, d.instructed, d.failed, s.stamp,
    coalesce(s.amount, d.amount)
FROM (SELECT who, disbursement, stamp, amount FROM seen WHERE kind = 'disbursement-settled') s
JOIN (FROM disbursements SEMI JOIN participants USING (who) WHERE settlements > 1) d
    USING (who, disbursement)

-- rule: instructions_made
SELECT who, disbursement_id, place, amount, instructed AS stamp
FROM disbursements
SEMI JOIN participants USING (who)
WHERE instructed IS NOT NULL

-- rule: payments_of_moved
-- Payments to those who were revoked once.
SELECT who, stamp FROM settlements_made SEMI JOIN standing_moves USING (who)
UNION ALL
SELECT who, stamp FROM instructions_made SEMI JOIN standing_moves USING (who)

-- rule: reinstated_before
SELECT p.who, p.stamp, max(m.stamp) AS reinstated
FROM payments_of_moved p
JOIN standing_moves m ON m.who = p.who AND m.stamp < p.stamp
WHERE NOT m.is_revocation
GROUP BY p.who, p.stamp

-- table: revoked_then
-- The revocation by which the participant stood revoked at a payment.
SELECT p.who, p.stamp, min(m.stamp) AS revocation
FROM payments_of_moved p
JOIN standing_moves m ON m.who = p.who AND m.stamp < p.stamp
LEFT JOIN reinstated_before r ON r.who = p.who AND r.stamp = p.stamp
WHERE m.is_revocation AND m.stamp > coalesce(r.reinstated, -1)
GROUP BY p.who, p.stamp

-- rule: sole_accounts
-- Most link one account once and have nothing but verifications of it: how it stood can be read off these.
SELECT who, any_value(account) AS account, any_value(linked) AS linked, any_value(verified) AS verified
FROM account_tokens
GROUP BY who
HAVING count(*) = 1 AND bool_and(links = 1 AND last_unlinked IS NULL AND rejections = 0)
    AND bool_and(coalesce(verified > linked, true))

-- rule: of_changing_accounts
SELECT who, stamp FROM settlements_made ANTI JOIN sole_accounts USING (who)

-- rule: linked_before
-- The account linked last before a settlement.
SELECT p.*, l.account, l.stamp AS linked
FROM of_changing_accounts p
ASOF LEFT JOIN (SELECT who, stamp, account FROM seen WHERE kind = 'account-linked') l
    ON l.who = p.who AND p.stamp > l.stamp

-- rule: heard_before
-- The latest word on that account since, and its latest unlinking.
SELECT p.*, h.kind AS word, h.stamp AS heard, u.stamp AS unlinked
FROM linked_before p
ASOF LEFT JOIN (SELECT who, stamp, account, kind FROM seen
        WHERE kind IN ('account-verified', 'account-rejected')) h
    ON h.who = p.who AND h.account = p.account AND p.stamp > h.stamp
ASOF LEFT JOIN (SELECT who, stamp, account FROM seen WHERE kind = 'account-unlinked') u
    ON u.who = p.who AND u.account = p.account AND p.stamp > u.stamp

-- rule: accounts_then
-- The account that stood linked when a settlement happened, and whether it stood verified.
SELECT p.who, p.stamp, a.linked AS link, a.account AS linked_account,
    coalesce(a.verified < p.stamp, false) AS is_verified
FROM settlements_made p
JOIN sole_accounts a ON a.who = p.who AND a.linked < p.stamp
UNION ALL
SELECT who, stamp, linked, account, coalesce(heard > linked AND word = 'account-verified', false)
FROM heard_before
WHERE coalesce(unlinked < linked, linked IS NOT NULL)

-- table: settlements
-- Each settlement that breaks a rule, or whose line has been paid too much, with the line it counts on and
-- how the participant stood when it happened.
SELECT
    s.who, s.stamp, s.disbursement_id, s.place, s.amount, s.paid_to, s.instructed, s.failed,
    v.revocation, a.link, a.linked_account, coalesce(a.is_verified, false) AS is_verified,
    l.line, l.earned, l.earned_on, l.amount AS line_amount, l.paid AS line_paid
FROM settlements_made s
JOIN judged_lines l USING (who, place)
LEFT JOIN accounts_then a ON a.who = s.who AND a.stamp = s.stamp
LEFT JOIN revoked_then v ON v.who = s.who AND v.stamp = s.stamp
WHERE NOT earned OR day_of(s.stamp) < earned_on OR v.revocation IS NOT NULL
    OR a.is_verified IS NOT TRUE OR a.linked_account IS DISTINCT FROM s.paid_to
    OR s.failed < s.stamp OR l.paid > l.amount

-- rule: paid_unearned
SELECT 'PAID_UNEARNED' AS code, who, day_of(stamp) AS dated, amount,
    '{"line":' || quoted(line) || ',"disbursement":' || quoted(disbursement_id)
        || ',"earned_on":' || quoted_day(earned_on) || '}' AS detail, [stamp] AS evidence
FROM settlements
WHERE NOT earned OR day_of(stamp) < earned_on

-- rule: paid_after_revocation
SELECT 'PAID_AFTER_REVOCATION' AS code, who, day_of(stamp) AS dated, amount,
    '{"line":' || quoted(line) || ',"disbursement":' || quoted(disbursement_id) || '}' AS detail, [stamp, revocation] AS evidence
FROM settlements
WHERE revocation IS NOT NULL AND day_of(stamp) > day_of(revocation)

-- rule: paid_without_verified_account
SELECT 'PAID_WITHOUT_VERIFIED_ACCOUNT' AS code, who, day_of(stamp) AS dated, amount,
    '{"line":' || quoted(line) || ',"disbursement":' || quoted(disbursement_id) || '}' AS detail, [stamp] AS evidence
FROM settlements
WHERE NOT is_verified

-- rule: paid_to_other_account
-- Of an instruction in view that names one.
SELECT 'PAID_TO_OTHER_ACCOUNT' AS code, who, day_of(stamp) AS dated, amount,
    '{"line":' || quoted(line) || ',"disbursement":' || quoted(disbursement_id)
        || ',"account":' || quoted(paid_to) || '}' AS detail,
    [stamp, instructed, link] AS evidence
FROM settlements
WHERE instructed IS NOT NULL AND paid_to IS NOT NULL AND linked_account IS DISTINCT FROM paid_to

-- rule: settled_after_failure
SELECT 'SETTLED_AFTER_FAILURE' AS code, who, day_of(stamp) AS dated, amount,
    '{"line":' || quoted(line) || ',"disbursement":' || quoted(disbursement_id) || '}' AS detail, [stamp, failed] AS evidence
FROM settlements
WHERE failed < stamp

-- rule: paid_twice
SELECT 'PAID_TWICE' AS code, who, day_of(max(stamp)) AS dated,
    any_value(line_paid - line_amount) AS amount,
    '{"line":' || quoted(any_value(line)) || '}' AS detail, list(stamp) AS evidence
FROM settlements
WHERE line_paid > line_amount
GROUP BY who, place
HAVING count(*) > 1

-- rule: crowded
-- Lines where something can stand before an instruction: of another disbursement, or against the order.
SELECT who, place FROM transfers WHERE disbursements > 1 OR first_settled < instructed

-- rule: crowded_disbursements
SELECT who, place, disbursement, amount FROM disbursements SEMI JOIN crowded USING (who, place)

-- rule: before_instructions
-- What happened to each disbursement of a line before an instruction on that line.
SELECT
    i.who, i.stamp AS instruction, e.disbursement,
    sum(CASE e.kind
        WHEN 'disbursement-settled' THEN coalesce(e.amount, d.amount)
        WHEN 'disbursement-returned' THEN -coalesce(e.amount, t.took)
        ELSE 0 END) AS remains,
    list(e.stamp) FILTER (e.kind = 'disbursement-settled') AS settlements,
    CASE WHEN bool_or(e.kind IN ('disbursement-settled', 'disbursement-failed')) THEN NULL
        ELSE max(CASE WHEN e.kind = 'disbursement-instructed' THEN e.stamp END) END AS open
FROM (FROM instructions_made SEMI JOIN crowded USING (who, place)) i
JOIN crowded_disbursements d USING (who, place)
JOIN (SELECT who, disbursement, kind, stamp, amount, position FROM seen
    WHERE kind IN ('disbursement-instructed', 'disbursement-settled', 'disbursement-failed',
        'disbursement-returned')) e
    ON e.who = d.who AND e.disbursement = d.disbursement AND e.stamp < i.stamp
LEFT JOIN returned_all t ON t.position = e.position
GROUP BY i.who, i.stamp, e.disbursement

-- table: lines_before_instructions
SELECT
    who, instruction,
    sum(greatest(0, remains)) AS paid,
    flatten(list(settlements)) AS settlements,
    list(open) FILTER (open IS NOT NULL) AS open
FROM before_instructions
GROUP BY who, instruction

-- rule: instructions
SELECT
    i.who, i.stamp, i.amount, i.disbursement_id, l.line, v.revocation,
    i.amount > l.amount AS is_over_amount,
    coalesce(b.paid, 0) >= l.amount AS is_already_paid,
    b.open IS NOT NULL AS is_in_flight,
    NOT l.earned OR l.earned_on > day_of(i.stamp) AS is_not_earned,
    v.revocation IS NOT NULL AS is_revoked,
    b.settlements, b.open
FROM instructions_made i
JOIN judged_lines l USING (who, place)
LEFT JOIN lines_before_instructions b ON b.who = i.who AND b.instruction = i.stamp
LEFT JOIN revoked_then v ON v.who = i.who AND v.stamp = i.stamp
WHERE is_over_amount OR is_already_paid OR is_in_flight OR is_not_earned OR is_revoked

-- rule: instructed_unduly
SELECT 'INSTRUCTED_UNDULY' AS code, who, day_of(stamp) AS dated, amount,
    '{"line":' || quoted(line) || ',"disbursement":' || quoted(disbursement_id) || ',"why":['
    || array_to_string(list_filter([
        CASE WHEN is_over_amount THEN '"over-amount"' END,
        CASE WHEN is_already_paid THEN '"already-paid"' END,
        CASE WHEN is_in_flight THEN '"in-flight"' END,
        CASE WHEN is_not_earned THEN '"not-earned"' END,
        CASE WHEN is_revoked THEN '"revoked"' END
    ], lambda why: why IS NOT NULL), ',') || ']}' AS detail,
    list_concat([stamp, revocation],
        CASE WHEN is_already_paid THEN settlements END, CASE WHEN is_in_flight THEN open END) AS evidence
FROM instructions

-- table: own_purchases
-- Purchases of everybody who has a statement.
SELECT * FROM purchases SEMI JOIN participants USING (who)

-- table: offers
-- The offer of each package that is in view; the first where a hidden void leaves two.
SELECT subject AS package, platform, price, courses, day_of_micros(micros(time)) AS offered_on, n, position
FROM common
WHERE is_seen AND kind = 'package-offered'
QUALIFY row_number() OVER (PARTITION BY subject ORDER BY n) = 1

-- rule: package_other_platform
SELECT 'PACKAGE_OTHER_PLATFORM' AS code, b.who, day_of(b.stamp) AS dated, b.price AS amount,
    '{"purchase":' || quoted(purchase) || ',"package":' || quoted(package) || ',"platform":'
    || quoted(b.platform) || ',"offered_by":' || quoted(o.platform) || '}' AS detail,
    [b.stamp] AS evidence, [o.position] AS shared_evidence
FROM own_purchases b
JOIN offers o USING (package)
WHERE b.platform <> o.platform

-- rule: stops
-- The stop of each platform's package sales that takes effect first; of several, the first.
SELECT *
FROM (
    SELECT unnest(platforms) AS platform, notice, effective, n, position
    FROM common
    WHERE is_seen AND kind = 'package-sales-stopped'
)
QUALIFY row_number() OVER (PARTITION BY platform ORDER BY effective, n) = 1

-- rule: package_sold_after_stop
SELECT 'PACKAGE_SOLD_AFTER_STOP' AS code, b.who, day_of(b.stamp) AS dated, b.price AS amount,
    '{"purchase":' || quoted(purchase) || ',"package":' || quoted(package) || ',"platform":'
    || quoted(platform) || ',"notice":' || quoted(s.notice) || ',"effective":'
    || quoted_day(s.effective) || '}' AS detail,
    [b.stamp] AS evidence, [s.position] AS shared_evidence
FROM own_purchases b
JOIN stops s USING (platform)
WHERE b.package IS NOT NULL AND b.method = 'prakerja' AND day_of(b.stamp) >= s.effective

-- table: package_courses
-- The courses of counting package purchases, with their completions.
SELECT b.who, b.purchase, b.package, b.platform, b.stamp, b.course, b.institution, c.completed
FROM (
    SELECT * EXCLUDE (one), one.course, one.institution
    FROM (SELECT who, purchase, package, platform, stamp, unnest(courses) AS one
        FROM own_purchases WHERE counts AND package IS NOT NULL)
) b
LEFT JOIN courses c USING (who, course)

-- rule: package_purchases
SELECT
    who, purchase, package, stamp,
    CASE WHEN count(*) = count(completed) THEN max(day_of(completed)) END AS finished_on,
    list({'course': course, 'completed_on': day_of(completed)}) AS courses
FROM package_courses
GROUP BY who, purchase, package, stamp

-- rule: cash
SELECT who, sum(amount) AS amount
FROM settlements_made
SEMI JOIN package_purchases USING (who)
GROUP BY who

-- rule: first_cash_since
-- The first settlement dated on or after a package purchase.
SELECT b.*, c.amount, min(s.stamp) AS settled
FROM package_purchases b
JOIN settlements_made s ON s.who = b.who AND day_of(s.stamp) >= day_of(b.stamp)
JOIN cash c ON c.who = b.who
GROUP BY ALL

-- rule: cash_before_package_done
-- If all courses were completed by that settlement, they were by every later one.
SELECT 'CASH_BEFORE_PACKAGE_DONE' AS code, who, day_of(settled) AS dated, amount,
    '{"purchase":' || quoted(purchase) || ',"package":' || quoted(package) || ',"open":['
    || array_to_string([quoted(name) for name in list_sort([one.course for one in courses
        if one.completed_on IS NULL OR one.completed_on > day_of(settled)])], ',')
    || '],"finished_on":' || quoted_day(finished_on) || '}' AS detail,
    [settled, stamp] AS evidence
FROM first_cash_since
WHERE finished_on IS NULL OR finished_on > day_of(settled)

-- rule: rated_dimensions
SELECT who, course,
    bool_or(instructor IS NOT NULL) AS instructor,
    bool_or(facilities IS NOT NULL) AS facilities,
    bool_or(programme IS NOT NULL) AS programme
FROM (SELECT who, course, position FROM seen WHERE kind = 'course-rated')
SEMI JOIN package_courses USING (who, course)
JOIN (SELECT position, instructor, facilities, programme FROM told) USING (position)
GROUP BY who, course

-- rule: course_unrated
SELECT 'COURSE_UNRATED' AS code, b.who, day_of(b.completed) AS dated, NULL AS amount,
    '{"purchase":' || quoted(purchase) || ',"course":' || quoted(course) || ',"institution":'
    || quoted(institution) || ',"platform":' || quoted(platform) || ',"missing":['
    || array_to_string(list_filter([
        CASE WHEN r.instructor IS NOT TRUE THEN '"instructor"' END,
        CASE WHEN r.facilities IS NOT TRUE THEN '"facilities"' END,
        CASE WHEN r.programme IS NOT TRUE THEN '"programme"' END
    ], lambda one: one IS NOT NULL), ',') || ']}' AS detail,
    [b.completed, b.stamp] AS evidence
FROM package_courses b
LEFT JOIN rated_dimensions r USING (who, course)
WHERE b.completed IS NOT NULL
    AND NOT coalesce(r.instructor AND r.facilities AND r.programme, false)

-- rule: evaluated
-- Courses that somebody with a statement rated, or bought outside a package.
SELECT course FROM courses SEMI JOIN participants USING (who) WHERE rated IS NOT NULL
UNION
SELECT unnest(courses).course FROM own_purchases WHERE package IS NULL

-- rule: spending
-- Counting purchases and their refunds, in order, with what was spent so far.
SELECT *, sum(amount) OVER (PARTITION BY who ORDER BY stamp) AS spent_so_far
FROM (
    SELECT who, stamp, price AS amount, true AS is_purchase FROM purchases WHERE counts
    UNION ALL
    SELECT s.who, s.stamp, -s.amount, false
    FROM few_seen s JOIN purchases p USING (who, purchase)
    WHERE s.kind = 'purchase-refunded' AND p.counts
)
SEMI JOIN (FROM judged_lines WHERE place = 0 AND overpaid > 0) USING (who)

-- rule: balance_overspent
SELECT 'BALANCE_OVERSPENT' AS code, s.who,
    day_of(min(s.stamp) FILTER (is_purchase AND spent_so_far > l.amount)) AS dated,
    any_value(l.overpaid) AS amount, '{}' AS detail, list(s.stamp) AS evidence
FROM spending s
JOIN (FROM judged_lines WHERE place = 0) l USING (who)
GROUP BY s.who
HAVING dated IS NOT NULL

-- rule: first_purchase_late
SELECT 'FIRST_PURCHASE_LATE' AS code, g.who,
    within_dates(day_of(g.enrolled) + c.first_purchase_days + 1) AS dated, NULL AS amount,
    '{"limit":' || quoted_day(day_of(g.enrolled) + c.first_purchase_days) || '}' AS detail,
    [g.enrolled, t.first_purchase] AS evidence
FROM people g
JOIN scheme_rules c USING (scheme)
LEFT JOIN spent t USING (who)
WHERE g.revocation IS NULL
    AND coalesce(day_of(t.first_purchase) > day_of(g.enrolled) + c.first_purchase_days, true)

-- rule: account_users
-- Who linked an account, by provider and token, each with the first link.
SELECT provider, account, who, arg_min(position, stamp) AS position
FROM (SELECT account, who, stamp, position FROM seen WHERE kind = 'account-linked')
SEMI JOIN participants USING (who)
JOIN (SELECT position, provider FROM told WHERE kind = 'account-linked') USING (position)
GROUP BY provider, account, who

-- rule: certificate_pairs
-- The certificate number of each course that somebody with a statement finished.
SELECT certificate, course, who, certified, completed, position
FROM (SELECT course, who, stamp AS certified, position FROM seen WHERE kind = 'certificate-issued')
JOIN courses USING (who, course, certified)
SEMI JOIN participants USING (who)
JOIN (SELECT position, certificate FROM told WHERE kind = 'certificate-issued') USING (position)

-- rule: certificate_before_completion
SELECT 'CERTIFICATE_BEFORE_COMPLETION' AS code, who, day_of(certified) AS dated, NULL AS amount,
    '{"course":' || quoted(course) || ',"certificate":' || quoted(certificate) || '}' AS detail,
    [certified, completed] AS evidence
FROM certificate_pairs
WHERE coalesce(certified < completed, true)

-- rule: submissions_out_of_turn
SELECT who FROM submissions WHERE NOT ({submitted_in_turn})

-- rule: first_submissions
SELECT who, survey, min(stamp) AS stamp
FROM (SELECT who, survey, stamp FROM seen WHERE kind = 'survey-submitted')
SEMI JOIN submissions_out_of_turn USING (who)
SEMI JOIN participants USING (who)
GROUP BY who, survey

-- rule: survey_out_of_order
SELECT 'SURVEY_OUT_OF_ORDER' AS code, s.who, day_of(s.stamp) AS dated, NULL AS amount,
    '{"survey":' || s.survey || '}' AS detail, [s.stamp] AS evidence
FROM first_submissions s
LEFT JOIN first_submissions o ON o.who = s.who AND o.survey < s.survey AND o.stamp < s.stamp
GROUP BY s.who, s.survey, s.stamp
HAVING s.survey - 1 > count(o.survey)

-- rule: wave_outside_scheme
SELECT 'WAVE_OUTSIDE_SCHEME' AS code, who, day_of(enrolled) AS dated, NULL AS amount,
    '{"wave":' || wave || ',"scheme":' || quoted(scheme) || '}' AS detail,
    [enrolled, corrected] AS evidence
FROM participants
JOIN scheme_rules USING (scheme)
WHERE NOT (wave BETWEEN least(waves_from, waves_until + 1) AND greatest(waves_from, waves_until - 1)
    AND (wave - waves_from) % waves_step = 0)

-- rule: late_reports
-- Fewer than ten days never hold ten working days.
SELECT
    s.who, s.stamp, s.kind, s.course, w.later_on AS dated,
    day_of(s.stamp) AS happened_on, day_of_micros(s.learned) AS learned_on
FROM seen s
SEMI JOIN participants p ON p.who = s.who
LEFT JOIN working_days_later w ON w.day = day_of(s.stamp) AND w.days = {late_after}
WHERE s.kind IN ('course-completed', 'certificate-issued', 'course-rated')
    AND learned_on - happened_on >= {late_after}

-- rule: reported_late
SELECT 'REPORTED_LATE' AS code, who, dated, NULL AS amount,
    '{"type":"' || kind || '","course":' || quoted(course) || '}' AS detail,
    [stamp] AS evidence
FROM late_reports
WHERE learned_on >= dated

-- rule: undecided
-- Section 3: reports that the list of holidays is too short to judge.
SELECT subject, stamp,
    CASE WHEN happened_on BETWEEN calendar_first() - 1 AND calendar_last()
        THEN calendar_last() + 1 ELSE happened_on END AS needed
FROM late_reports
JOIN participants USING (who)
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

-- rule: evidence_events
SELECT number, source, id, time, coalesce(recordedtime, time) AS known_at, position
FROM (SELECT DISTINCT number, who, unnest(evidence) AS stamp FROM found)
JOIN (SELECT who, stamp, position FROM recorded) USING (who, stamp)
JOIN (SELECT position, source, id, time, recordedtime FROM told) USING (position)
UNION ALL
SELECT number, source, id, time, known_at, position
FROM (SELECT number, unnest(shared_evidence) AS position FROM found)
JOIN common USING (position)

-- rule: found_evidence
-- Each once, in the order of events.
SELECT number,
    string_agg(named(source, id), ',' ORDER BY time, known_at, position) AS names,
    list((time, known_at, position) ORDER BY time, known_at, position) AS places
FROM evidence_events
GROUP BY number

-- rule: own_findings
-- Section 5: as `findings --json` prints them, with what they are sorted by.
SELECT dated, subject, code, detail, places, concat(
    '{"code":"', code, '","subject":', quoted(subject), ',"date":', quoted_day(dated), ',"amount":',
    coalesce(CAST(amount AS VARCHAR), 'null'), ',"detail":', detail, ',"evidence":[', names, ']}', chr(10)
) AS text
FROM found
JOIN participants USING (who)
JOIN found_evidence USING (number)

-- What follows comes of several participants, or of none: of the tables that the parts gathered. Its
-- `evidence` are positions.

-- rule: package_bundles_courses
SELECT 'PACKAGE_BUNDLES_COURSES' AS code, package AS subject, offered_on AS dated, price AS amount,
    '{"courses":' || len(courses) || ',"institutions":'
    || list_unique([one.institution for one in courses]) || '}' AS detail, [position] AS evidence
FROM offers
WHERE len(courses) > 1

-- rule: course_not_evaluable
SELECT 'COURSE_NOT_EVALUABLE' AS code, o.course AS subject,
    arg_min(o.offered_on, o.n) AS dated, NULL AS amount,
    '{"packages":[' || array_to_string([quoted(name) for name in list_sort(list(o.package))], ',')
    || ']}' AS detail, list(o.position) AS evidence
FROM (SELECT package, offered_on, n, position, unnest(courses).course AS course FROM offers) o
ANTI JOIN evaluated_courses v ON v.course = o.course
GROUP BY o.course

-- rule: uses
-- Accounts and certificate numbers that several use.
SELECT 'SHARED_ACCOUNT' AS code, position,
    '{"provider":' || quoted(provider) || ',"account":' || quoted(account) || ',"participants":' AS detail,
    [provider, account] AS thing
FROM account_uses
SEMI JOIN (SELECT provider, account FROM account_uses GROUP BY ALL HAVING count(*) > 1) several
    USING (provider, account)
UNION ALL
SELECT 'DUPLICATE_CERTIFICATE', position,
    '{"course":' || quoted(course) || ',"certificate":' || quoted(certificate) || ',"pairs":',
    [certificate]
FROM certificate_uses
SEMI JOIN (SELECT certificate FROM certificate_uses GROUP BY ALL HAVING count(*) > 1) several
    USING (certificate)

-- rule: used_by_several
-- Each use is dated by itself, the first by the second; its evidence is itself and the first of the others.
SELECT
    code, e.subject,
    row_number() OVER used AS rank,
    day_of_micros(micros(CASE WHEN rank = 1 THEN nth_value(e.time, 2) OVER every ELSE e.time END)) AS dated,
    NULL AS amount,
    detail || count(*) OVER every || '}' AS detail,
    [e.position, CASE WHEN rank = 1 THEN nth_value(e.position, 2) OVER every
        ELSE first_value(e.position) OVER every END] AS evidence
FROM uses u
JOIN (SELECT position, subject, time, coalesce(recordedtime, time) AS known_at FROM events) e
    USING (position)
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
    string_agg(named(source, id), ',' ORDER BY time, known_at, position) AS names,
    list((time, known_at, position) ORDER BY time, known_at, position) AS places
FROM (SELECT DISTINCT number, unnest(evidence) AS position FROM found_shared) f
JOIN (SELECT position, source, id, time, coalesce(recordedtime, time) AS known_at FROM events) s
    USING (position)
GROUP BY number

-- rule: shared_findings
SELECT dated, subject, code, detail, places, concat(
    '{"code":"', code, '","subject":', quoted(subject), ',"date":', quoted_day(dated), ',"amount":',
    coalesce(CAST(amount AS VARCHAR), 'null'), ',"detail":', detail, ',"evidence":[', names, ']}', chr(10)
) AS text
FROM found_shared
JOIN found_shared_evidence USING (number)
