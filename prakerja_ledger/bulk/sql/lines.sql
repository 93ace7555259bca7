-- The lines of statements (contract, section 4), one rule after another.
-- `seen` are the events in view; `n` orders a participant's events by the order of events.

-- rule: enrolments
-- Section 4: a participant whose `enrolled` is not in view has no statement.
SELECT subject, n, position, wave, scheme, wib_date(time) AS enrolled_on
FROM seen
WHERE kind = 'enrolled'

-- rule: corrections
-- Section 2, enrolment-corrected: the latest one known at K, whatever its `time`.
SELECT subject, arg_max(wave, n) AS wave, arg_max(scheme, n) AS scheme, max(n) AS n
FROM known
WHERE kind = 'enrolment-corrected'
GROUP BY subject

-- rule: participants
-- The wave and the scheme that hold.
SELECT
    e.subject, e.n, e.enrolled_on, c.n AS corrected,
    coalesce(c.wave, e.wave) AS wave,
    coalesce(c.scheme, e.scheme) AS scheme
FROM enrolments e
LEFT JOIN corrections c USING (subject)

-- rule: reinstatements
SELECT subject, max(n) AS n FROM seen WHERE kind = 'participation-reinstated' GROUP BY subject

-- rule: revocations
-- Section 4.1: "stands revoked" from a revocation until a reinstatement; "the revocation" is the
-- first after the last reinstatement.
SELECT s.subject, min(s.n) AS revocation, min(wib_date(s.time)) AS revoked_on
FROM seen s
LEFT JOIN reinstatements r USING (subject)
WHERE s.kind = 'participation-revoked' AND s.n > coalesce(r.n, -1)
GROUP BY s.subject

-- rule: refunds
SELECT subject, purchase, sum(amount) AS amount
FROM seen
WHERE kind = 'purchase-refunded'
GROUP BY subject, purchase

-- rule: purchases
-- Section 4.1: a purchase "counts" when its method is prakerja and its refunds, if any, add up to
-- less than its price.
SELECT
    s.subject, s.purchase, s.n, s.price, s.courses, s.package, s.platform, s.method, s.time,
    coalesce(r.amount, 0) AS refunded,
    s.method = 'prakerja' AND (r.amount IS NULL OR r.amount < s.price) AS counts
FROM seen s
LEFT JOIN refunds r USING (subject, purchase)
WHERE s.kind = 'training-purchased'

-- rule: spent
-- Section 4.1, training line: prices of counting purchases less their refunds.
SELECT subject, CAST(sum(price - refunded) AS BIGINT) AS spent, min(n) AS first_purchase
FROM purchases
WHERE counts
GROUP BY subject

-- rule: course_events
-- What a course can show: counting purchases that have it, and its reports.
SELECT subject, unnest(courses).course AS course, 'bought' AS kind, n,
    NULL::TIMESTAMP AS time, NULL::TIMESTAMP AS known_at, NULL::BOOLEAN AS reviewed
FROM purchases
WHERE counts
UNION ALL
SELECT subject, course, kind, n, time, known_at, reviewed
FROM seen
WHERE kind IN ('course-completed', 'certificate-issued', 'course-rated')

-- rule: courses
-- The first of each kind of a course's reports.
SELECT
    subject, course,
    min(n) FILTER (kind = 'bought') AS bought,
    min(n) FILTER (kind = 'course-completed') AS completed,
    min(n) FILTER (kind = 'certificate-issued') AS certified,
    min(n) FILTER (kind = 'course-rated') AS rated,
    min(n) FILTER (kind = 'course-rated' AND reviewed) AS reviewed,
    min(time) FILTER (kind = 'course-completed') AS completed_at,
    min(time) FILTER (kind = 'certificate-issued') AS certified_at,
    min(time) FILTER (kind = 'course-rated') AS rated_at,
    min(time) FILTER (kind = 'course-rated' AND reviewed) AS reviewed_at,
    coalesce(arg_min(known_at >= day_ends(as_of()), n) FILTER (kind = 'course-completed'), false) AS completed_late,
    coalesce(arg_min(known_at >= day_ends(as_of()), n) FILTER (kind = 'certificate-issued'), false) AS certified_late,
    coalesce(arg_min(known_at >= day_ends(as_of()), n) FILTER (kind = 'course-rated'), false) AS rated_late,
    coalesce(arg_min(known_at >= day_ends(as_of()), n) FILTER (kind = 'course-rated' AND reviewed), false) AS reviewed_late
FROM course_events
GROUP BY subject, course

-- rule: first_courses
-- Section 4.1, first course: the counting course with the first completion (its cut-off: rule `people`).
SELECT
    subject,
    arg_min({
        'completed_on': wib_date(completed_at),
        'earned_on': CASE WHEN certified IS NOT NULL AND reviewed IS NOT NULL
            THEN wib_date(greatest(completed_at, certified_at, rated_at, reviewed_at)) END,
        'bought': bought, 'completed': completed, 'certified': certified, 'rated': rated,
        'reviewed': reviewed,
        'late': list_filter([
            CASE WHEN completed_late THEN completed END, CASE WHEN certified_late THEN certified END,
            CASE WHEN rated_late THEN rated END, CASE WHEN reviewed_late THEN reviewed END
        ], lambda x: x IS NOT NULL)
    }, completed) AS course
FROM courses
WHERE bought IS NOT NULL AND completed IS NOT NULL
GROUP BY subject

-- rule: account_events
SELECT subject, account, provider, kind, n, reason, wib_date(time) AS on_day
FROM seen
WHERE kind IN ('account-linked', 'account-verified', 'account-rejected', 'account-unlinked')

-- rule: account_tokens
-- Each account token of a participant (compared without the provider): its last link and what
-- follows it, as of D and as of the end of each "account linked by" that has passed.
SELECT
    subject, account,
    max(n) FILTER (kind = 'account-linked') AS linked,
    max(n) FILTER (kind IN ('account-verified', 'account-rejected')) AS word,
    arg_max(CASE WHEN kind = 'account-rejected' THEN reason ELSE '' END, n)
        FILTER (kind IN ('account-verified', 'account-rejected')) AS rejected_for,
    list(n) FILTER (kind = 'account-unlinked') AS unlinked,
    {linked_at_cut_offs}
FROM account_events
GROUP BY subject, account
HAVING linked IS NOT NULL

-- rule: accounts
-- The account that was linked last, its latest word since, and the unlinking that left none.
SELECT
    subject,
    arg_max({
        'linked': linked,
        'word': CASE WHEN word > linked THEN word END,
        'rejected_for': CASE WHEN word > linked THEN nullif(rejected_for, '') END,
        'unlinked': list_min(list_filter(unlinked, lambda x: x > linked))
    }, linked) AS account,
    {standing_at_cut_offs}
FROM account_tokens
GROUP BY subject

-- rule: disbursement_events
-- Recorded, in view or not: what an instruction says of line and amount holds also when it is not.
SELECT
    subject, disbursement, kind, n, time, known_at, reason, reference, account, is_seen,
    amount, position,
    CASE WHEN component = 'survey' THEN {surveys_begin} ELSE 0 END + instalment AS place
FROM recorded
WHERE kind IN ('disbursement-instructed', 'disbursement-settled', 'disbursement-failed', 'disbursement-returned')

-- rule: disbursements
-- Section 2 and 4.1: one disbursement; an outcome that names no amount has the one that was fixed
-- when it was recorded.
SELECT
    subject, disbursement,
    any_value(place) AS place,
    any_value(amount) FILTER (kind = 'disbursement-instructed') AS amount,
    max(n) FILTER (is_seen AND kind = 'disbursement-instructed') AS instructed,
    count(*) FILTER (is_seen AND kind = 'disbursement-settled') AS settlements,
    CAST(coalesce(sum(amount) FILTER (is_seen AND kind = 'disbursement-settled'), 0)
        + count(*) FILTER (is_seen AND kind = 'disbursement-settled' AND amount IS NULL)
        * coalesce(any_value(amount) FILTER (kind = 'disbursement-instructed'), 0) AS BIGINT) AS settled,
    CAST(coalesce(sum(coalesce(amount, returned_all.took)) FILTER (is_seen AND kind = 'disbursement-returned'), 0) AS BIGINT) AS returned,
    min(n) FILTER (is_seen AND kind = 'disbursement-settled') AS first_settled,
    min(time) FILTER (is_seen AND kind = 'disbursement-settled') AS first_settled_at,
    coalesce(arg_min(known_at >= day_ends(as_of()), n) FILTER (is_seen AND kind = 'disbursement-settled'), false) AS first_settled_late,
    min(n) FILTER (is_seen AND kind = 'disbursement-failed') AS failed,
    arg_min(reason, n) FILTER (is_seen AND kind = 'disbursement-failed') AS failed_for,
    arg_max(reason, n) FILTER (is_seen AND kind = 'disbursement-returned') AS returned_for
FROM disbursement_events
LEFT JOIN returned_all USING (position)
GROUP BY subject, disbursement
HAVING bool_or(is_seen)

-- rule: transfers
-- Section 4.1, amounts of a cash line: p, t, and the disbursement instructed last.
SELECT
    subject, place,
    CAST(sum(greatest(0, settled - returned)) AS BIGINT) AS paid,
    CAST(coalesce(sum(amount) FILTER (instructed IS NOT NULL AND settlements = 0 AND failed IS NULL), 0) AS BIGINT) AS in_flight,
    sum(settlements) AS settlements,
    arg_max({
        'instructed': instructed,
        'failed_for': CASE WHEN settlements = 0 THEN failed_for END,
        'returned_for': returned_for
    }, instructed) AS latest,
    arg_min({
        'n': first_settled, 'on_day': wib_date(first_settled_at), 'late': first_settled_late
    }, first_settled) AS first_settled
FROM disbursements
GROUP BY subject, place

-- rule: submissions
SELECT subject, survey, min(n) AS n, min(time) AS time,
    arg_min(known_at >= day_ends(as_of()), n) AS late
FROM seen
WHERE kind = 'survey-submitted'
GROUP BY subject, survey

-- rule: surveys
-- The first submission of each survey.
SELECT subject,
    {surveys_by_number}
FROM submissions
GROUP BY subject

-- rule: gathered
-- Each participant with what the rules above say of them.
SELECT
    p.subject, p.wave, p.scheme, p.n AS enrolled,
    r.revocation, r.revoked_on,
    coalesce(t.spent, 0) AS spent,
    t.spent IS NOT NULL AS has_purchase,
    -- Section 4.1, first course: that completion dated by the scheme's cut-off
    CASE WHEN rule.first_course_by IS NULL OR f.course.completed_on <= rule.first_course_by THEN f.course END AS first,
    x.first_settled,
    a.account,
    {standing_at_own_cut_off} AS linked_in_time,
    -- Section 4.1, survey/n: a submission dated after "surveys by" does not count
    [CASE WHEN rule.surveys_by IS NULL OR s.on_day <= rule.surveys_by THEN s END
        for s in v.submitted] AS submitted,
    rule.first_course_by, rule.surveys_by, rule.account_linked_by, rule.training_used_by,
    rule.payment_window, rule.survey_payment_days
FROM participants p
JOIN scheme_rules rule USING (scheme)
LEFT JOIN revocations r USING (subject)
LEFT JOIN spent t USING (subject)
LEFT JOIN first_courses f USING (subject)
LEFT JOIN accounts a USING (subject)
LEFT JOIN surveys v USING (subject)
LEFT JOIN (FROM transfers WHERE place = 1) x USING (subject)

-- rule: people
-- What all lines of a participant share.
SELECT
    *,
    first.earned_on AS first_on,
    is_earned(first.earned_on, revoked_on) AS first_is_earned,
    {first_survey_missing} AS first_survey_missing,
    -- Section 4.1, forfeited, and section 4.2: the forfeits that every cash line shares
    CASE WHEN revocation IS NOT NULL THEN because('REVOKED') ELSE 0 END
    | CASE WHEN as_of() > first_course_by AND first IS NULL THEN because('FIRST_COURSE_CUT_OFF') ELSE 0 END
    | CASE WHEN as_of() > account_linked_by AND NOT linked_in_time THEN because('LINK_CUT_OFF') ELSE 0 END
        AS common_forfeits,
    -- Section 4.2: why post-training/1 is not earned
    CASE
        WHEN first IS NOT NULL THEN
            CASE WHEN first.certified IS NULL THEN because('CERTIFICATE_NOT_ON_RECORD') ELSE 0 END
            | CASE WHEN first.rated IS NULL THEN because('RATING_NOT_ON_RECORD') ELSE 0 END
            | CASE WHEN first.reviewed IS NULL THEN because('REVIEW_NOT_ON_RECORD') ELSE 0 END
        WHEN has_purchase THEN because('COURSE_NOT_COMPLETED')
        ELSE because('NO_PURCHASE')
    END AS first_missing,
    -- Section 4.2: what stands in the way of paying to the account
    CASE
        WHEN account IS NULL OR account.unlinked IS NOT NULL THEN because('ACCOUNT_NOT_ON_RECORD')
        WHEN account.word IS NULL THEN because('ACCOUNT_NOT_VERIFIED')
        WHEN account.rejected_for IS NOT NULL THEN because('ACCOUNT_REJECTED')
        ELSE 0
    END AS account_causes
FROM gathered

-- rule: places
-- Section 4.1: the scheme's lines, and those it lacks that a disbursement event in view names.
SELECT p.*, l.place, l.line, l.component, l.instalment, l.amount, false AS is_lacking
FROM people p
JOIN scheme_lines l USING (scheme)
UNION ALL
SELECT p.*, l.place, l.line, l.component, l.instalment, 0 AS amount, true AS is_lacking
FROM transfers x
JOIN people p USING (subject)
JOIN cash_places l USING (place)
WHERE (p.scheme, x.place) NOT IN (SELECT (scheme, place) FROM scheme_lines)

-- rule: earnings
-- Section 4.1: when each line is earned, and what was paid on it.
SELECT
    p.*,
    coalesce(x.paid, 0) AS transferred,
    coalesce(x.in_flight, 0) AS in_flight,
    x.latest,
    CASE WHEN NOT is_lacking THEN
        CASE
            WHEN component = 'post-training' THEN months_after(first_on, instalment - 1)
            WHEN component = 'survey' AND first_survey_missing > instalment
                AND first_on IS NOT NULL AND p.first_settled.n IS NOT NULL
            THEN greatest(first_on, p.first_settled.on_day,
                list_max([s.on_day for s in submitted[1:instalment]]))
        END
    END AS earned_on,
    is_earned(earned_on, revoked_on) AS earned,
    common_forfeits | CASE WHEN component = 'survey' AND as_of() > surveys_by
        AND first_survey_missing <= instalment THEN because('SURVEY_CUT_OFF') ELSE 0 END AS may_forfeit,
    -- Section 4.2, REPORT_LAG: events that the earned date rests on, recorded after D
    CASE WHEN x.latest.instructed IS NULL AND earned THEN
        list_concat(first.late, CASE WHEN component = 'survey' THEN list_concat(
            list_filter([CASE WHEN s.late THEN s.n END for s in submitted[1:instalment]], lambda x: x IS NOT NULL),
            CASE WHEN p.first_settled.late THEN [p.first_settled.n] ELSE [] END)
        ELSE [] END)
    ELSE [] END AS late
FROM places p
LEFT JOIN transfers x USING (subject, place)

-- rule: due_dates
-- Section 4.1, due_on; section 3: what lies outside the list of holidays is not known.
SELECT
    e.*,
    CASE
        WHEN component = 'post-training' THEN w.later_on
        WHEN component = 'survey' THEN within_dates(earned_on + survey_payment_days)
    END AS due_on,
    coalesce(as_of() > due_on, false) AS is_past_due,
    c.counted AS counted_when_due
FROM earnings e
LEFT JOIN working_days_later w ON w.day = e.earned_on AND w.days = e.payment_window
LEFT JOIN working_days c ON c.day = (CASE
        WHEN component = 'post-training' THEN w.later_on
        WHEN component = 'survey' THEN within_dates(earned_on + survey_payment_days)
    END)

-- rule: amounts
-- Section 4.1: the table of amounts of a cash line, and the training line.
SELECT
    *,
    CASE WHEN place = 0 THEN spent ELSE transferred END AS paid,
    CASE
        WHEN place = 0 THEN least(spent, amount)
        WHEN earned THEN least(transferred, amount)
        ELSE 0
    END AS within_amount,
    CASE
        WHEN within_amount = amount THEN 0
        WHEN place = 0 THEN CASE WHEN revocation IS NOT NULL THEN because('REVOKED') ELSE 0 END
            | CASE WHEN as_of() > training_used_by THEN because('TRAINING_CUT_OFF') ELSE 0 END
        ELSE may_forfeit
    END AS forfeits,
    amount - within_amount AS rest,
    CASE
        WHEN place = 0 THEN within_amount
        WHEN NOT earned THEN 0
        WHEN forfeits <> 0 THEN within_amount
        ELSE amount
    END AS owed,
    CASE WHEN earned AND forfeits = 0 THEN rest ELSE 0 END AS unpaid,
    CASE WHEN is_past_due THEN unpaid ELSE 0 END AS overdue,
    paid - within_amount AS overpaid,
    CASE WHEN earned OR forfeits <> 0 THEN 0 ELSE rest END AS not_yet_earned,
    CASE WHEN forfeits <> 0 THEN rest ELSE 0 END AS forfeited,
    CASE WHEN overdue > 0 THEN counted_as_of() - counted_when_due ELSE 0 END AS overdue_working_days,
    -- Section 3: where a date is needed beyond the list of holidays, the statement is an error
    CASE
        WHEN earned AND component = 'post-training' AND due_on IS NULL
            THEN CASE WHEN earned_on BETWEEN calendar_first() - 1 AND calendar_last() THEN calendar_last() + 1 ELSE earned_on END
        WHEN overdue > 0 AND counted_as_of() IS NULL THEN as_of()
        WHEN overdue > 0 AND counted_when_due IS NULL THEN due_on
    END AS needed
FROM due_dates

-- rule: lines
-- Section 4.1, status, and section 4.2, causes as a set of bits in the order of the contract.
SELECT
    subject, wave, scheme, place, line, amount, is_lacking,
    CASE WHEN revocation IS NULL THEN 'active' ELSE 'revoked' END AS standing,
    CASE
        WHEN place = 0 THEN
            CASE WHEN forfeits <> 0 THEN 'forfeited' WHEN not_yet_earned > 0 THEN 'open' ELSE 'paid' END
        WHEN paid >= amount THEN 'paid'
        WHEN forfeits <> 0 THEN 'forfeited'
        WHEN in_flight > 0 THEN 'in-flight'
        WHEN NOT earned AND component = 'post-training' AND instalment > 1 AND first_is_earned THEN 'scheduled'
        WHEN NOT earned THEN 'not-earned'
        WHEN overdue > 0 THEN 'overdue'
        ELSE 'due'
    END AS status,
    owed, paid, unpaid, overdue, in_flight, overpaid, not_yet_earned, forfeited,
    earned, earned_on, due_on, overdue_working_days, needed,
    CASE WHEN in_flight > 0 THEN because('AWAITING_OUTCOME') ELSE 0 END AS awaiting,
    CASE
        WHEN component = 'post-training' AND instalment > 1 AND first_is_earned THEN because('MONTH_NOT_REACHED')
        WHEN component = 'post-training' THEN first_missing
        ELSE CASE WHEN NOT first_is_earned OR first_settled.n IS NULL THEN because('FIRST_INCENTIVE_NOT_PAID') ELSE 0 END
            | CASE WHEN first_survey_missing < instalment THEN because('EARLIER_SURVEY_NOT_SUBMITTED') ELSE 0 END
            | CASE WHEN submitted[instalment] IS NULL THEN because('SURVEY_NOT_SUBMITTED') ELSE 0 END
    END AS missing,
    account_causes
    | CASE WHEN len(late) > 0 THEN because('REPORT_LAG') ELSE 0 END
    | CASE WHEN hold() IS NOT NULL THEN because('PROGRAMME_HOLD') ELSE 0 END
    | CASE WHEN latest.failed_for IS NOT NULL THEN because('TRANSFER_FAILED') ELSE 0 END
    | CASE WHEN latest.returned_for IS NOT NULL THEN because('TRANSFER_RETURNED') ELSE 0 END
    | CASE WHEN as_of() <= due_on THEN because('PAYMENT_WINDOW_OPEN') ELSE 0 END AS obstacles,
    CASE
        WHEN status = 'paid' THEN 0
        WHEN status = 'open' THEN 0
        WHEN status = 'forfeited' THEN forfeits | awaiting
        WHEN NOT earned THEN awaiting | missing
        WHEN (awaiting | obstacles) = 0 THEN because('NOT_INSTRUCTED')
        ELSE awaiting | obstacles
    END AS causes,
    -- the lowest bit: the first cause
    CASE causes & -causes
        WHEN because('ACCOUNT_REJECTED') THEN account.rejected_for
        WHEN because('TRANSFER_FAILED') THEN latest.failed_for
        WHEN because('TRANSFER_RETURNED') THEN latest.returned_for
    END AS first_reason,
    -- what the evidence needs
    first, first_settled, submitted, component, instalment, late, account, revocation
FROM amounts
