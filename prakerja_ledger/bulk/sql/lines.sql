-- The lines of statements (contract, section 4), one rule after another.
-- `recorded` are all events of participants, `seen` those in view; `who` is a participant's number, and a
-- `stamp` (macros.sql) orders the events of a participant and holds their dates. What stands after `--named` is there
-- when statements are asked for: the names of events by their identity, for the evidence.

-- table: few
-- The events of which there are few, read once.
SELECT who, kind, stamp, position, is_known, is_seen, wave, scheme, purchase, disbursement, amount, reason
FROM recorded
WHERE kind IN ('enrolment-corrected', 'participation-revoked', 'participation-reinstated',
    'purchase-refunded', 'account-rejected', 'disbursement-failed', 'disbursement-returned')

-- rule: few_seen
SELECT * FROM few WHERE is_seen

-- rule: corrections
-- Section 2, enrolment-corrected: the latest one known at K, whatever its `time`.
SELECT who, arg_max(wave, stamp) AS wave, arg_max(scheme, stamp) AS scheme, max(stamp) AS stamp
FROM few
WHERE kind = 'enrolment-corrected' AND is_known
GROUP BY who

-- table: participants
-- Section 4: a participant whose `enrolled` is not in view has no statement. The wave and the scheme that
-- hold.
SELECT
    e.who, e.subject, e.stamp AS enrolled, c.stamp AS corrected,
    coalesce(c.wave, e.wave) AS wave,
    coalesce(c.scheme, e.scheme) AS scheme
FROM (SELECT who, subject, stamp, wave, scheme FROM seen WHERE kind = 'enrolled') e
LEFT JOIN corrections c USING (who)

-- rule: reinstatements
SELECT who, max(stamp) AS stamp FROM few_seen WHERE kind = 'participation-reinstated' GROUP BY who

-- rule: revocations
-- Section 4.1: "stands revoked" from a revocation until a reinstatement; "the revocation" is the
-- first after the last reinstatement.
SELECT s.who, min(s.stamp) AS revocation
FROM few_seen s
LEFT JOIN reinstatements r USING (who)
WHERE s.kind = 'participation-revoked' AND s.stamp > coalesce(r.stamp, -1)
GROUP BY s.who

-- rule: refunds
SELECT who, purchase, sum(amount) AS amount
FROM few_seen
WHERE kind = 'purchase-refunded'
GROUP BY who, purchase

-- table: purchases
-- Section 4.1: a purchase "counts" when its method is prakerja and its refunds, if any, add up to
-- less than its price.
SELECT
    s.who, s.purchase, s.stamp, s.price, s.courses, s.method,
    --judged s.package, s.platform,
    --named s.name,
    coalesce(r.amount, 0) AS refunded,
    s.method = 'prakerja' AND (r.amount IS NULL OR r.amount < s.price) AS counts
FROM seen s
LEFT JOIN refunds r USING (who, purchase)
WHERE s.kind = 'training-purchased'

-- rule: spent
-- Section 4.1, training line: prices of counting purchases less their refunds.
SELECT who, CAST(sum(price - refunded) AS BIGINT) AS spent, min(stamp) AS first_purchase
    --named , count(*) <= 2 AND sum(refunded) = 0 AS is_plain_training
    --named , concat_ws(',', arg_min(name, stamp),
    --named     CASE WHEN count(*) > 1 THEN arg_max(name, stamp) END) AS training_names
FROM purchases
WHERE counts
GROUP BY who

-- rule: course_events
-- What a course can show: counting purchases that have it, and its reports.
SELECT who, unnest(courses).course AS course, stamp AS bought,
    NULL AS completed, NULL AS certified, NULL AS rated, NULL AS reviewed
    --named , name
FROM purchases
WHERE counts
UNION ALL
SELECT who, course, NULL,
    CASE WHEN kind = 'course-completed' THEN stamp END,
    CASE WHEN kind = 'certificate-issued' THEN stamp END,
    CASE WHEN kind = 'course-rated' THEN stamp END,
    CASE WHEN kind = 'course-rated' AND reviewed THEN stamp END
    --named , name
FROM seen
WHERE kind IN ('course-completed', 'certificate-issued', 'course-rated')

-- table: courses
-- The first of each kind of a course's reports.
SELECT
    who, course, min(bought) AS bought, min(completed) AS completed,
    min(certified) AS certified, min(rated) AS rated, min(reviewed) AS reviewed
    --named , any_value(CASE WHEN bought IS NOT NULL THEN name END) AS bought_name
    --named , any_value(CASE WHEN completed IS NOT NULL THEN name END) AS completed_name
    --named , any_value(CASE WHEN certified IS NOT NULL THEN name END) AS certified_name
    --named , any_value(CASE WHEN rated IS NOT NULL THEN name END) AS rated_name
    --named , count(*) AS events
FROM course_events
GROUP BY who, course

-- rule: first_completions
SELECT who, min(completed) AS completed
FROM courses
WHERE bought IS NOT NULL
GROUP BY who

-- rule: first_courses
-- Section 4.1, first course: the counting course with the first completion (its cut-off: rule `gathered`);
-- post-training/1 is earned on the latest date of what it needs.
SELECT
    c.*,
    CASE WHEN certified IS NOT NULL AND reviewed IS NOT NULL
        THEN greatest(day_of(completed), day_of(certified), day_of(rated), day_of(reviewed)) END AS earned_on,
    is_late(completed) OR is_late(certified) OR is_late(rated) OR is_late(reviewed) AS has_late
FROM courses c
SEMI JOIN first_completions USING (who, completed)
WHERE bought IS NOT NULL

-- table: account_tokens
-- Each account token of a participant (compared without the provider): its last link and what
-- follows it, as of D and as of the end of each "account linked by".
SELECT
    who, account,
    max(CASE WHEN kind = 'account-linked' THEN stamp END) AS linked,
    max(CASE WHEN kind IN ('account-verified', 'account-rejected') THEN stamp END) AS word,
    max(CASE WHEN kind = 'account-unlinked' THEN stamp END) AS last_unlinked,
    --judged count(*) FILTER (kind = 'account-linked') AS links,
    --judged count(*) FILTER (kind = 'account-rejected') AS rejections,
    --judged min(CASE WHEN kind = 'account-verified' THEN stamp END) AS verified,
    {linked_at_cut_offs}
FROM seen
WHERE kind IN ('account-linked', 'account-verified', 'account-rejected', 'account-unlinked')
GROUP BY who, account

-- rule: last_links
SELECT who, max(linked) AS linked FROM account_tokens GROUP BY who

-- rule: links_at_cut_offs
-- Section 4.1, forfeited: whether an account stood linked at the end of a date.
SELECT who, {stood_linked}
FROM account_tokens
GROUP BY who

-- rule: accounts
-- The account that was linked last, and its latest word since.
SELECT
    t.who, t.account, t.linked,
    coalesce(t.last_unlinked > t.linked, false) AS is_unlinked,
    CASE WHEN t.word > t.linked THEN t.word END AS word
FROM account_tokens t
SEMI JOIN last_links USING (who, linked)

-- rule: reasons_given
-- Section 4.4: the reason codes of failed, returned and rejected.
SELECT who, stamp, reason
FROM few_seen
WHERE kind IN ('account-rejected', 'disbursement-failed', 'disbursement-returned')

-- rule: failures
SELECT who, disbursement, min(stamp) AS failed
FROM few_seen
WHERE kind = 'disbursement-failed'
GROUP BY who, disbursement

-- rule: returns
-- A return that names no amount has the one that was fixed when it was recorded.
SELECT who, disbursement, sum(coalesce(amount, took)) AS returned, max(stamp) AS last_returned
FROM few_seen
LEFT JOIN returned_all USING (position)
WHERE kind = 'disbursement-returned'
GROUP BY who, disbursement

-- rule: instructed_and_settled
-- Sections 2 and 4.1: what an instruction says of line and amount holds also when it is voided or not in
-- view; a settlement that names no amount has the instructed one.
SELECT
    who, disbursement,
    -- an id is never used twice: two instructions are of two ids that made the same number
    CASE WHEN count(CASE WHEN kind = 'disbursement-instructed' THEN 1 END) > 1
        THEN error('two disbursements of one participant have one number') ELSE max(place) END AS place,
    max(CASE WHEN kind = 'disbursement-instructed' THEN amount END) AS amount,
    max(CASE WHEN is_seen AND kind = 'disbursement-instructed' THEN stamp END) AS instructed,
    min(CASE WHEN is_seen AND kind = 'disbursement-settled' THEN stamp END) AS first_settled,
    sum(CASE WHEN is_seen AND kind = 'disbursement-settled' THEN amount END) AS named,
    count(CASE WHEN is_seen AND kind = 'disbursement-settled' AND amount IS NULL THEN 1 END) AS unnamed
    --judged , any_value(disbursement_id) AS disbursement_id, any_value(paid_to) AS paid_to
    --judged , count(*) FILTER (is_seen AND kind = 'disbursement-settled') AS settlements
    --named , any_value(CASE WHEN is_seen AND kind = 'disbursement-instructed' THEN name END) AS instructed_name
    --named , any_value(CASE WHEN is_seen AND kind = 'disbursement-settled' THEN name END) AS settled_name
    --named , count(CASE WHEN is_seen THEN 1 END) AS events
FROM recorded
WHERE kind IN ('disbursement-instructed', 'disbursement-settled')
GROUP BY who, disbursement

-- table: disbursements
-- Each disbursement of which some event is in view.
SELECT
    d.who, d.disbursement, d.place, d.amount, d.instructed, d.first_settled,
    coalesce(d.named, 0) + d.unnamed * d.amount AS settled,
    coalesce(r.returned, 0) AS returned,
    f.failed, r.last_returned
    --judged , d.disbursement_id, d.paid_to, d.settlements
    -- an instruction, or a settlement, or one and then the other, and nothing else
    --named , f.failed IS NULL AND r.last_returned IS NULL AND (d.events = 1
    --named     OR (d.events = 2 AND d.instructed < d.first_settled)) AS is_plain
    --named , concat_ws(',', d.instructed_name, d.settled_name) AS names
    --named , CASE WHEN d.place = 1 THEN d.settled_name END AS settled_name
FROM instructed_and_settled d
LEFT JOIN failures f USING (who, disbursement)
LEFT JOIN returns r USING (who, disbursement)
WHERE coalesce(instructed, first_settled, failed, last_returned) IS NOT NULL

-- table: transfers
-- Section 4.1, amounts of a cash line: p, t, and the disbursement instructed last.
SELECT
    who, place,
    CAST(sum(greatest(0, settled - returned)) AS BIGINT) AS paid,
    CAST(coalesce(sum(CASE WHEN instructed IS NOT NULL AND first_settled IS NULL AND failed IS NULL THEN amount END), 0) AS BIGINT) AS in_flight,
    max(instructed) AS instructed,
    min(first_settled) AS first_settled
    --judged , count(*) AS disbursements
    --named , count(*) = 1 AND bool_and(is_plain) AS is_plain
    --named , any_value(settled_name) AS settled_name
    --named , min(coalesce(instructed, first_settled)) AS begun
FROM disbursements
GROUP BY who, place

-- rule: troubles
-- Section 4.2, TRANSFER_FAILED and TRANSFER_RETURNED: what went wrong with a disbursement, and why.
SELECT
    d.who, d.instructed,
    CASE WHEN first_settled IS NULL THEN f.reason END AS failed_for,
    r.reason AS returned_for
FROM disbursements d
LEFT JOIN reasons_given f ON f.who = d.who AND f.stamp = d.failed
LEFT JOIN reasons_given r ON r.who = d.who AND r.stamp = d.last_returned
WHERE d.instructed IS NOT NULL AND (d.failed IS NOT NULL OR d.last_returned IS NOT NULL)

-- rule: submissions
-- The first submission of each survey.
SELECT who,
    {submissions}
    --named , {submission_names}
FROM seen
WHERE kind = 'survey-submitted'
GROUP BY who

-- rule: gathered
-- Each participant with what the rules above say of them.
SELECT
    p.who, p.wave, p.scheme, p.enrolled,
    v.revocation,
    coalesce(t.spent, 0) AS spent,
    t.spent IS NOT NULL AS has_purchase,
    -- Section 4.1, first course: that completion dated by the scheme's cut-off
    coalesce(c.first_course_by IS NULL OR day_of(f.completed) <= c.first_course_by, false)
        AND f.completed IS NOT NULL AS has_first_course,
    CASE WHEN has_first_course THEN f.bought END AS bought,
    CASE WHEN has_first_course THEN f.completed END AS completed,
    CASE WHEN has_first_course THEN f.certified END AS certified,
    CASE WHEN has_first_course THEN f.rated END AS rated,
    CASE WHEN has_first_course THEN f.reviewed END AS reviewed,
    CASE WHEN has_first_course THEN f.earned_on END AS first_on,
    coalesce(has_first_course AND f.has_late, false) AS first_is_late,
    x.first_settled,
    --named coalesce(t.is_plain_training, t.spent IS NULL) AS is_plain_training, t.training_names,
    -- one event of each kind, the course bought, completed, and then certified and rated with a review
    --named f.events = 4 AND f.bought < f.completed AND f.completed < least(f.certified, f.rated)
    --named     AND f.certified <> f.rated AND f.rated = f.reviewed AS is_plain_course,
    --named greatest(f.certified, f.rated) AS course_done,
    --named CASE WHEN has_first_course THEN concat_ws(',', f.bought_name, f.completed_name,
    --named     CASE WHEN f.certified < f.rated THEN f.certified_name ELSE f.rated_name END,
    --named     CASE WHEN f.certified < f.rated THEN f.rated_name ELSE f.certified_name END) END AS course_names,
    --named x.is_plain AS is_settled_plainly, x.settled_name, {own_submission_names},
    CASE WHEN a.is_unlinked IS FALSE THEN a.linked END AS linked,
    a.word,
    {stood_linked_at_own_cut_off} AS was_linked_in_time,
    -- Section 4.1, survey/n: a submission dated after "surveys by" does not count
    {counting_submissions},
    c.first_course_by, c.surveys_by, c.account_linked_by, c.training_used_by,
    c.payment_window, c.survey_payment_days
FROM participants p
JOIN scheme_rules c USING (scheme)
LEFT JOIN revocations v USING (who)
LEFT JOIN spent t USING (who)
LEFT JOIN first_courses f USING (who)
LEFT JOIN accounts a USING (who)
LEFT JOIN links_at_cut_offs k USING (who)
LEFT JOIN submissions s USING (who)
LEFT JOIN (FROM transfers WHERE place = 1) x USING (who)

-- table: people
-- What all lines of a participant share.
SELECT
    g.*,
    CASE WHEN revocation IS NOT NULL THEN day_of(revocation) END AS revoked_on,
    is_earned(first_on, revoked_on) AS first_is_earned,
    {first_survey_missing} AS first_survey_missing,
    -- Section 4.1, forfeited, and section 4.2: the forfeits that every cash line shares
    because_if(revocation IS NOT NULL, 'REVOKED')
    | because_if(as_of() > first_course_by AND NOT has_first_course, 'FIRST_COURSE_CUT_OFF')
    | because_if(as_of() > account_linked_by AND NOT was_linked_in_time, 'LINK_CUT_OFF')
        AS common_forfeits,
    -- Section 4.2: why post-training/1 is not earned
    CASE
        WHEN has_first_course THEN
            because_if(certified IS NULL, 'CERTIFICATE_NOT_ON_RECORD')
            | because_if(rated IS NULL, 'RATING_NOT_ON_RECORD')
            | because_if(reviewed IS NULL, 'REVIEW_NOT_ON_RECORD')
        WHEN has_purchase THEN because('COURSE_NOT_COMPLETED')
        ELSE because('NO_PURCHASE')
    END AS first_missing,
    -- Section 4.2: what stands in the way of paying to the account
    r.reason AS rejected_for,
    CASE
        WHEN linked IS NULL THEN because('ACCOUNT_NOT_ON_RECORD')
        WHEN word IS NULL THEN because('ACCOUNT_NOT_VERIFIED')
        WHEN r.reason IS NOT NULL THEN because('ACCOUNT_REJECTED')
        ELSE 0
    END AS account_causes
FROM gathered g
LEFT JOIN reasons_given r ON r.who = g.who AND r.stamp = g.word

-- rule: training_lines
-- Section 4.1, the training line. While revoked, or after "training used by", the rest is forfeited.
SELECT
    who, enrolled, wave, scheme, revocation, 0 AS place, 'training' AS line, amount,
    CASE WHEN causes <> 0 THEN 'forfeited' WHEN rest > 0 THEN 'open' ELSE 'paid' END AS status,
    owed, spent AS paid, 0 AS unpaid, 0 AS overdue, 0 AS in_flight, spent - owed AS overpaid,
    CASE WHEN causes = 0 THEN rest ELSE 0 END AS not_yet_earned,
    CASE WHEN causes = 0 THEN 0 ELSE rest END AS forfeited,
    false AS earned, NULL::DATE AS earned_on, NULL::DATE AS due_on, 0 AS overdue_working_days,
    causes, NULL::VARCHAR AS first_reason, NULL::DATE AS needed
    --named , is_plain_training AND NOT (causes <> 0 AND revocation IS NOT NULL) AS is_plain
FROM (
    SELECT *,
        least(spent, amount) AS owed,
        amount - owed AS rest,
        CASE WHEN rest = 0 THEN 0 ELSE because_if(revocation IS NOT NULL, 'REVOKED')
            | because_if(as_of() > training_used_by, 'TRAINING_CUT_OFF') END AS causes
    FROM people
    JOIN (FROM scheme_lines WHERE place = 0) USING (scheme)
)

-- rule: cash_lines_due
-- Section 4.1: the scheme's cash lines, and those it lacks that a disbursement event in view names.
SELECT p.*, l.place, l.line, l.is_survey, l.instalment, l.amount, false AS is_lacking
FROM people p
JOIN (FROM scheme_lines WHERE place > 0) l USING (scheme)
UNION ALL
SELECT p.*, l.place, l.line, l.is_survey, l.instalment, 0 AS amount, true AS is_lacking
FROM transfers x
JOIN cash_places l USING (place)
JOIN people p USING (who)
-- only a correction, known or not, can have had a disbursement name such a line
SEMI JOIN (FROM few WHERE kind = 'enrolment-corrected') correction ON correction.who = p.who
ANTI JOIN scheme_lines has ON has.scheme = p.scheme AND has.place = x.place

-- rule: earnings
-- Section 4.1: when each line is earned, and what was paid on it.
SELECT
    p.*,
    coalesce(x.paid, 0) AS paid,
    coalesce(x.in_flight, 0) AS in_flight,
    x.instructed,
    --named coalesce(x.is_plain, true) AS is_plainly_transferred, x.begun,
    CASE
        WHEN is_lacking THEN NULL
        WHEN is_survey THEN
            CASE WHEN first_survey_missing > instalment AND p.first_settled IS NOT NULL
                AND first_on IS NOT NULL
            THEN greatest(first_on, day_of(p.first_settled), {last_submission}) END
        WHEN instalment = 1 THEN first_on
        ELSE months_after(first_on, instalment - 1)
    END AS earned_on,
    is_earned(earned_on, revoked_on) AS earned,
    common_forfeits | because_if(is_survey AND as_of() > surveys_by
        AND first_survey_missing <= instalment, 'SURVEY_CUT_OFF') AS may_forfeit
FROM cash_lines_due p
LEFT JOIN transfers x USING (who, place)

-- rule: due_dates
-- Section 4.1, due_on; section 3: what lies outside the list of holidays is not known.
SELECT
    e.*,
    CASE WHEN is_survey THEN within_dates(earned_on + survey_payment_days) ELSE w.later_on END AS due_on
FROM earnings e
LEFT JOIN working_days_later w ON w.day = e.earned_on AND w.days = e.payment_window

-- rule: amounts
-- Section 4.1: the table of amounts of a cash line.
SELECT
    *,
    CASE WHEN earned THEN least(paid, amount) ELSE 0 END AS within_amount,
    amount - within_amount AS rest,
    CASE WHEN rest = 0 THEN 0 ELSE may_forfeit END AS forfeits,
    CASE WHEN forfeits <> 0 THEN within_amount WHEN earned THEN amount ELSE 0 END AS owed,
    CASE WHEN earned AND forfeits = 0 THEN rest ELSE 0 END AS unpaid,
    CASE WHEN as_of() > due_on THEN unpaid ELSE 0 END AS overdue,
    paid - within_amount AS overpaid,
    CASE WHEN earned OR forfeits <> 0 THEN 0 ELSE amount END AS not_yet_earned,
    CASE WHEN forfeits <> 0 THEN rest ELSE 0 END AS forfeited,
    -- Section 4.1, status: the first that applies
    CASE
        WHEN paid >= amount THEN 'paid'
        WHEN forfeits <> 0 THEN 'forfeited'
        WHEN in_flight > 0 THEN 'in-flight'
        WHEN overdue > 0 THEN 'overdue'
        WHEN earned THEN 'due'
        WHEN first_is_earned AND instalment > 1 AND NOT is_survey THEN 'scheduled'
        ELSE 'not-earned'
    END AS status
FROM due_dates

-- rule: cash_lines
-- Section 4.2, causes as a set of bits in the order of the contract.
SELECT
    a.who, enrolled, wave, scheme, revocation, place, line, amount, status,
    owed, paid, unpaid, overdue, in_flight, overpaid, not_yet_earned, forfeited,
    earned, earned_on, due_on,
    CASE WHEN overdue > 0 THEN counted_as_of() - w.counted ELSE 0 END AS overdue_working_days,
    because_if(in_flight > 0, 'AWAITING_OUTCOME') AS awaiting,
    CASE
        WHEN status = 'paid' THEN 0
        WHEN status = 'forfeited' THEN forfeits | awaiting
        -- the causes of a line that is not earned
        WHEN NOT earned THEN awaiting | CASE
            WHEN is_survey THEN
                because_if(NOT first_is_earned OR first_settled IS NULL, 'FIRST_INCENTIVE_NOT_PAID')
                | because_if(first_survey_missing < instalment, 'EARLIER_SURVEY_NOT_SUBMITTED')
                | because_if({own_submission} IS NULL, 'SURVEY_NOT_SUBMITTED')
            WHEN instalment > 1 AND first_is_earned THEN because('MONTH_NOT_REACHED')
            ELSE first_missing
        END
        -- what stands in the way of paying an earned line
        ELSE coalesce(nullif(
            awaiting | account_causes
            -- an event that the earned date rests on was recorded after D
            | because_if(a.instructed IS NULL AND (first_is_late
                OR (is_survey AND (is_late(first_settled) OR {late_submission}))), 'REPORT_LAG')
            | because_if(hold() IS NOT NULL, 'PROGRAMME_HOLD')
            | because_if(t.failed_for IS NOT NULL, 'TRANSFER_FAILED')
            | because_if(t.returned_for IS NOT NULL, 'TRANSFER_RETURNED')
            | because_if(as_of() <= due_on, 'PAYMENT_WINDOW_OPEN'), 0), because('NOT_INSTRUCTED'))
    END AS causes,
    -- Section 4.4: the owner of these causes is that of the reason given
    CASE first_cause(causes)
        WHEN because('ACCOUNT_REJECTED') THEN rejected_for
        WHEN because('TRANSFER_FAILED') THEN t.failed_for
        WHEN because('TRANSFER_RETURNED') THEN t.returned_for
    END AS first_reason,
    -- Section 3: where a date is needed beyond the list of holidays, the statement is an error
    CASE
        WHEN earned AND NOT is_survey AND due_on IS NULL
            THEN CASE WHEN earned_on BETWEEN calendar_first() - 1 AND calendar_last()
                THEN calendar_last() + 1 ELSE earned_on END
        WHEN overdue > 0 AND counted_as_of() IS NULL THEN as_of()
        WHEN overdue > 0 AND w.counted IS NULL THEN due_on
    END AS needed
    -- Section 4.2, evidence. Most is plain: one event of each kind, and all in the order in which such
    -- things happen, so that their names only have to be joined. All other is sorted (statements.sql).
    --named , is_plainly_transferred AND NOT (status = 'forfeited' AND revocation IS NOT NULL)
    --named     AND causes & {pointing_causes} = 0
    --named     AND CASE WHEN is_survey THEN {is_plain_survey}
    --named         ELSE completed IS NULL OR (is_plain_course AND coalesce(course_done < begun, true))
    --named     END AS is_plain
FROM amounts a
LEFT JOIN working_days w ON w.day = a.due_on
LEFT JOIN troubles t ON t.who = a.who AND t.instructed = a.instructed

-- rule: lines
SELECT * FROM training_lines
UNION ALL BY NAME
SELECT * EXCLUDE (awaiting) FROM cash_lines
