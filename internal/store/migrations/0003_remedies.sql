-- +goose Up

-- When the deletion was asked for, and the latest proof time that was senior then: only a
-- contact at least as old can keep the account.
ALTER TABLE account ADD COLUMN delete_requested_at BIGINT;
ALTER TABLE account ADD COLUMN delete_senior_proof BIGINT;
-- The newest remedy, and the proof time of the contact that made it.
ALTER TABLE account ADD COLUMN remedy_at BIGINT;
ALTER TABLE account ADD COLUMN remedy_proof BIGINT;

-- Verified contacts that a person removed, for as long as the removal can be undone.
CREATE TABLE removed_contact (
    id          TEXT   NOT NULL PRIMARY KEY,
    account_id  TEXT   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    channel     TEXT   NOT NULL,
    address     TEXT   NOT NULL,
    address_key TEXT   NOT NULL,
    verified_at BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    removed_at  BIGINT NOT NULL
);
CREATE INDEX removed_contact_by_account ON removed_contact (account_id);
CREATE INDEX removed_contact_by_age ON removed_contact (removed_at);

-- The proof time of the contact that a link was sent to; links that belong to no attempt
-- have one.
ALTER TABLE link ADD COLUMN recipient_proof BIGINT;

-- What an attempt has proven so far, separated by commas.
ALTER TABLE attempt ADD COLUMN proofs TEXT;

-- Notifications by SMS to one account in one day.
CREATE TABLE sms_notice (
    account_id TEXT   NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    day        BIGINT NOT NULL,
    sent       BIGINT NOT NULL
);
