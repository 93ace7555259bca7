-- What may be recorded (contract, sections 1 and 2), asked of a whole history at once: the subjects of
-- whom not every row is legal beyond doubt, one query a rule. Over the relation `given`, all rows as
-- they came; `position` is the order of recording. A rule may doubt more than it must, never less:
-- whoever is doubted is judged by the law itself. Voids, corrections, reinstatements and repeated
-- settlements are few, and so doubted outright.

-- doubt: format
SELECT DISTINCT subject FROM given WHERE NOT coalesce({fits}, false)

-- doubt: identities
-- One that stands there twice. Hashes first: they are few bytes an event.
SELECT DISTINCT subject
FROM given
WHERE hash(source, id) IN (SELECT hash(source, id) FROM given GROUP BY ALL HAVING count(*) > 1)

-- doubt: enrolments
-- Enrolled once, and before everything else; surveys and instalments within the scheme.
SELECT subject
FROM (
    SELECT
        subject,
        count(*) FILTER (kind = 'enrolled') AS enrolments,
        min(position) AS first,
        min(CASE WHEN kind = 'enrolled' THEN position END) AS enrolled,
        any_value(CASE WHEN kind = 'enrolled' THEN scheme END) AS own_scheme,
        bool_or(kind IN ('enrolment-corrected', 'event-voided', 'participation-reinstated')) AS is_moved,
        count(*) FILTER (kind = 'participation-revoked') AS revocations,
        count(survey) AS surveys,
        max(survey) AS last_survey,
        bit_or(CASE WHEN survey <= 60 THEN 1::BIGINT << survey::INTEGER END) AS surveys_met,
        max(CASE WHEN kind = 'disbursement-instructed' AND component = 'post-training'
            THEN instalment END) AS last_post_training,
        max(CASE WHEN kind = 'disbursement-instructed' AND component = 'survey'
            THEN instalment END) AS last_survey_paid
    FROM given
    GROUP BY subject
)
LEFT JOIN scheme_counts ON scheme = own_scheme
WHERE enrolments <> 1 OR first <> enrolled OR is_moved OR revocations > 1
    OR coalesce(last_survey > survey_count OR surveys <> bit_count(surveys_met), surveys > 0)
    OR coalesce(last_post_training > post_training_count, last_post_training IS NOT NULL)
    OR coalesce(last_survey_paid > survey_count, last_survey_paid IS NOT NULL)

-- doubt: accounts
-- A word on an account, or its unlinking, while another one is linked, or none.
SELECT DISTINCT subject
FROM (
    SELECT
        subject, kind, account,
        last_value(CASE kind WHEN 'account-linked' THEN account WHEN 'account-unlinked' THEN '' END
            IGNORE NULLS) OVER (
            PARTITION BY subject ORDER BY position
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS linked
    FROM given
    WHERE kind IN ('account-linked', 'account-verified', 'account-rejected', 'account-unlinked')
)
WHERE kind <> 'account-linked' AND linked IS DISTINCT FROM account

-- doubt: purchases
-- A purchase id used twice; refunds before it, or above its price in the end.
SELECT subject
FROM given
WHERE kind IN ('training-purchased', 'purchase-refunded')
GROUP BY subject, purchase
HAVING count(*) FILTER (kind = 'training-purchased') <> 1
    OR min(position) <> min(CASE WHEN kind = 'training-purchased' THEN position END)
    OR sum(amount) > max(price)

-- doubt: packages
-- Bought before it was offered.
SELECT DISTINCT subject
FROM given
LEFT JOIN offered USING (package)
WHERE kind = 'training-purchased' AND package IS NOT NULL
    AND coalesce(position < offered_at, true)

-- doubt: courses
-- Completed, certified or rated before it was bought; completed or certified twice.
SELECT subject
FROM (
    SELECT subject, unnest(courses).course AS course, position AS bought, NULL AS done, NULL AS kind
    FROM given
    WHERE kind = 'training-purchased'
    UNION ALL
    SELECT subject, course, NULL, position, kind
    FROM given
    WHERE kind IN ('course-completed', 'certificate-issued', 'course-rated')
)
GROUP BY subject, course
HAVING count(*) FILTER (kind = 'course-completed') > 1
    OR count(*) FILTER (kind = 'certificate-issued') > 1
    OR coalesce(min(done) < min(bought), count(done) > 0)

-- doubt: disbursements
-- An id used twice; a move before the instruction; an outcome after an outcome; several settlements;
-- more returned than was settled.
SELECT subject
FROM (
    SELECT
        subject, disbursement,
        count(*) FILTER (kind = 'disbursement-instructed') AS instructions,
        min(position) AS first,
        min(CASE WHEN kind = 'disbursement-instructed' THEN position END) AS instructed,
        max(CASE WHEN kind = 'disbursement-instructed' THEN amount END) AS due,
        count(*) FILTER (kind = 'disbursement-settled') AS settlements,
        max(CASE WHEN kind = 'disbursement-settled' THEN position END) AS settled,
        max(CASE WHEN kind = 'disbursement-settled' THEN amount END) AS named,
        count(*) FILTER (kind = 'disbursement-failed') AS failures,
        max(CASE WHEN kind = 'disbursement-failed' THEN position END) AS failed,
        count(*) FILTER (kind = 'disbursement-returned') AS returns,
        min(CASE WHEN kind = 'disbursement-returned' THEN position END) AS returned,
        count(*) FILTER (kind = 'disbursement-returned' AND amount IS NULL) AS unnamed_returns,
        sum(CASE WHEN kind = 'disbursement-returned' THEN amount END) AS given_back
    FROM given
    WHERE disbursement IS NOT NULL
    GROUP BY subject, disbursement
)
WHERE instructions <> 1 OR first <> instructed OR settlements > 1 OR failures > 1
    OR (failures = 1 AND settled < failed)
    OR (returns > 0 AND (settlements = 0 OR returned < settled
        OR CASE WHEN unnamed_returns = 0 THEN given_back > coalesce(named, due) ELSE returns > 1 END))

-- doubt: complaints
-- An id used twice; resolved before it was filed, or twice.
SELECT subject
FROM given
WHERE complaint IS NOT NULL
GROUP BY subject, complaint
HAVING count(*) FILTER (kind = 'complaint-filed') <> 1
    OR count(*) FILTER (kind = 'complaint-resolved') > 1
    OR min(position) <> min(CASE WHEN kind = 'complaint-filed' THEN position END)
