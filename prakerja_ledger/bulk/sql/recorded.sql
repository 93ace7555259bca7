-- The events of the part of the participants by the names of the contract, and those of them in view.

CREATE OR REPLACE TEMP VIEW recorded AS
SELECT
    who, kind, stamp, position, is_known, is_seen, disbursement, place, reviewed, courses,
    number AS amount, number AS price, number AS wave, number AS survey,
    word AS scheme, word AS reason, word AS method,
    thing AS subject, thing AS course, thing AS purchase, thing AS account
    --named , name, learned
    --judged , disbursement_id, paid_to, package, platform, learned
FROM facts;

CREATE OR REPLACE TEMP VIEW seen AS SELECT * EXCLUDE (is_known, is_seen) FROM recorded WHERE is_seen;
