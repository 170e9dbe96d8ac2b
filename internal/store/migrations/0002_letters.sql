-- +goose Up

-- When a deletion that was asked for becomes final; until then it can be undone.
ALTER TABLE account ADD COLUMN delete_at BIGINT;
CREATE INDEX account_by_deletion ON account (delete_at) WHERE delete_at IS NOT NULL;

-- A number belongs to one account once it is verified; before that it claims nothing.
CREATE TABLE phone (
    id          TEXT    NOT NULL PRIMARY KEY,
    account_id  TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    number      TEXT    NOT NULL,
    is_primary  BOOLEAN NOT NULL CHECK (is_primary IN (FALSE, TRUE)),
    verified_at BIGINT,
    created_at  BIGINT  NOT NULL
);
CREATE UNIQUE INDEX phone_by_verified_number ON phone (number) WHERE verified_at IS NOT NULL;
CREATE UNIQUE INDEX phone_primary ON phone (account_id) WHERE is_primary;
CREATE INDEX phone_by_account ON phone (account_id);

-- Where the code of an attempt is sent: by e-mail if nothing is said.
ALTER TABLE attempt ADD COLUMN channel TEXT;
-- The address or number of a person that the attempt is to verify.
ALTER TABLE attempt ADD COLUMN subject_id TEXT;
-- What the account's credentials were when the attempt began.
ALTER TABLE attempt ADD COLUMN credential_version BIGINT;
-- The account's epoch when the attempt began, where it belongs to a session.
ALTER TABLE attempt ADD COLUMN epoch BIGINT;
-- What the waiting screen shows, and what is told of it to whoever approves.
ALTER TABLE attempt ADD COLUMN match_digits TEXT;
ALTER TABLE attempt ADD COLUMN place TEXT;
ALTER TABLE attempt ADD COLUMN device TEXT;
ALTER TABLE attempt ADD COLUMN approved_at BIGINT;
-- The application that waits for the sign-in, if it is on another origin.
ALTER TABLE attempt ADD COLUMN onward TEXT;
CREATE INDEX attempt_by_account ON attempt (account_id) WHERE ended_at IS NULL AND account_id IS NOT NULL;

-- A link in a letter. It works once, and not after it has ended: a newer letter of its
-- attempt, a changed password, a removed address.
CREATE TABLE link (
    id          TEXT   NOT NULL PRIMARY KEY,
    secret_hash BYTEA  NOT NULL,
    purpose     TEXT   NOT NULL,
    attempt_id  TEXT,
    account_id  TEXT REFERENCES account (id) ON DELETE CASCADE,
    session_id  TEXT,
    sealed      BYTEA,
    showings    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT,
    ended_at    BIGINT
);
CREATE INDEX link_by_attempt ON link (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE INDEX link_by_account ON link (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX link_by_expiry ON link (expires_at);

-- A letter to many, while it is being written into the outbox.
CREATE TABLE campaign (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    segment     TEXT   NOT NULL,
    content     TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    last_id     TEXT   NOT NULL,
    total       BIGINT NOT NULL,
    queued      BIGINT NOT NULL,
    skipped     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    finished_at BIGINT
);

-- What was sent to the numbers of one prefix in one hour, and how much of it was
-- answered by a right code.
CREATE TABLE sms_count (
    prefix   TEXT   NOT NULL,
    hour     BIGINT NOT NULL,
    sent     BIGINT NOT NULL,
    verified BIGINT NOT NULL,
    PRIMARY KEY (prefix, hour)
);
CREATE INDEX sms_count_by_hour ON sms_count (hour);

ALTER TABLE outbox ADD COLUMN campaign_id TEXT;
ALTER TABLE outbox ADD COLUMN provider TEXT;
CREATE INDEX outbox_dead ON outbox (finished_at) WHERE state = 'dead';
