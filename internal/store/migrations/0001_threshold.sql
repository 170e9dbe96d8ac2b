-- +goose Up

-- What the database is: its kind, the check value of its root key, the oldest reader.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE account (
    id                  TEXT   NOT NULL PRIMARY KEY,
    username            TEXT,
    username_key        TEXT,
    first_name          TEXT,
    last_name           TEXT,
    picture             TEXT,
    locale              TEXT,
    roles               TEXT   NOT NULL,
    public_metadata     TEXT   NOT NULL,
    unsafe_metadata     TEXT   NOT NULL,
    private_metadata    TEXT   NOT NULL,
    password_hash       TEXT,
    password_changed_at BIGINT,
    credential_version  BIGINT NOT NULL,
    epoch               BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    last_sign_in_at     BIGINT,
    banned_at           BIGINT
);
CREATE UNIQUE INDEX account_by_username ON account (username_key) WHERE username_key IS NOT NULL;

-- An address belongs to one account once it is verified; before that it claims nothing.
CREATE TABLE email (
    id          TEXT    NOT NULL PRIMARY KEY,
    account_id  TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    address     TEXT    NOT NULL,
    address_key TEXT    NOT NULL,
    is_primary  BOOLEAN NOT NULL CHECK (is_primary IN (FALSE, TRUE)),
    verified_at BIGINT,
    created_at  BIGINT  NOT NULL
);
CREATE UNIQUE INDEX email_by_verified_address ON email (address_key) WHERE verified_at IS NOT NULL;
CREATE UNIQUE INDEX email_primary ON email (account_id) WHERE is_primary;
CREATE INDEX email_by_account ON email (account_id);

-- The row is the whole session: a refresh changes it in place and adds nothing.
-- No column that a refresh changes may be indexed.
CREATE TABLE session (
    id                   TEXT    NOT NULL PRIMARY KEY,
    account_id           TEXT    NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    client               TEXT    NOT NULL,
    generation           BIGINT  NOT NULL,
    rotated_at           BIGINT  NOT NULL,
    proof_generation     BIGINT  NOT NULL,
    cut_generation       BIGINT  NOT NULL,
    cut_at               BIGINT,
    device_hash          BYTEA   NOT NULL,
    bound                BOOLEAN NOT NULL CHECK (bound IN (FALSE, TRUE)),
    delivery             TEXT    NOT NULL,
    epoch                BIGINT  NOT NULL,
    idle_expires_at      BIGINT  NOT NULL,
    expires_at           BIGINT  NOT NULL,
    ended_at             BIGINT,
    end_reason           TEXT,
    recovered_generation BIGINT  NOT NULL,
    recoveries           BIGINT  NOT NULL,
    recoveries_since     BIGINT,
    created_at           BIGINT  NOT NULL,
    last_seen_at         BIGINT  NOT NULL,
    authenticated_at     BIGINT  NOT NULL,
    authenticated_by     TEXT    NOT NULL,
    methods              TEXT    NOT NULL,
    aal                  BIGINT  NOT NULL,
    ip                   TEXT    NOT NULL,
    location             TEXT    NOT NULL,
    device_name          TEXT    NOT NULL,
    device_os            TEXT    NOT NULL,
    device_browser       TEXT    NOT NULL,
    device_kind          TEXT    NOT NULL
);
CREATE INDEX session_by_account ON session (account_id, id);
CREATE INDEX session_by_expiry ON session (expires_at);

-- One try to sign up, sign in or prove oneself again, from its start to its grant.
CREATE TABLE attempt (
    id              TEXT    NOT NULL PRIMARY KEY,
    secret_hash     BYTEA   NOT NULL,
    purpose         TEXT    NOT NULL,
    account_id      TEXT,
    session_id      TEXT,
    decoy           BOOLEAN NOT NULL CHECK (decoy IN (FALSE, TRUE)),
    known_device    BOOLEAN NOT NULL CHECK (known_device IN (FALSE, TRUE)),
    address         TEXT,
    address_key     TEXT,
    candidate       BYTEA,
    browser_hash    BYTEA,
    delivery        TEXT    NOT NULL,
    locale          TEXT    NOT NULL,
    code_hash       BYTEA,
    code_sent_at    BIGINT,
    code_expires_at BIGINT,
    tries           BIGINT  NOT NULL,
    sends           BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    expires_at      BIGINT  NOT NULL,
    ended_at        BIGINT,
    outcome         TEXT
);
CREATE INDEX attempt_by_address ON attempt (address_key, id) WHERE ended_at IS NULL;
CREATE INDEX attempt_by_expiry ON attempt (expires_at);

-- Wrong codes across attempts, by the keyed hash of an address, known or not.
CREATE TABLE code_budget (
    address_hash    TEXT   NOT NULL PRIMARY KEY,
    hour_started_at BIGINT NOT NULL,
    in_hour         BIGINT NOT NULL,
    in_row          BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX code_budget_by_age ON code_budget (updated_at);

-- The one-time code with which an application on another origin fetches its grant.
CREATE TABLE handover (
    id               TEXT   NOT NULL PRIMARY KEY,
    secret_hash      BYTEA  NOT NULL,
    account_id       TEXT   NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    session_id       TEXT,
    redirect_to      TEXT   NOT NULL,
    code_challenge   TEXT   NOT NULL,
    methods          TEXT   NOT NULL,
    aal              BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    epoch            BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    used_at          BIGINT
);
CREATE INDEX handover_by_expiry ON handover (expires_at);
CREATE INDEX handover_by_account ON handover (account_id);

-- What happened, by whom, from where, and how it ended.
CREATE TABLE event (
    id         TEXT   NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    type       TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    account_id TEXT,
    actor      TEXT,
    session_id TEXT,
    attempt_id TEXT,
    request_id TEXT,
    ip         TEXT,
    user_agent TEXT,
    data       TEXT   NOT NULL
);
CREATE INDEX event_by_account ON event (account_id, id);
CREATE INDEX event_by_age ON event (at);

-- What applications must stop accepting before its time.
CREATE TABLE revocation (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    account_id TEXT,
    session_id TEXT,
    kid        TEXT,
    at         BIGINT NOT NULL,
    until      BIGINT NOT NULL,
    reason     TEXT   NOT NULL
);
CREATE INDEX revocation_by_age ON revocation (at, id);
CREATE INDEX revocation_by_end ON revocation (until);

CREATE TABLE outbox (
    id           TEXT   NOT NULL PRIMARY KEY,
    lane         BIGINT NOT NULL,
    channel      TEXT   NOT NULL,
    template     TEXT   NOT NULL,
    locale       TEXT   NOT NULL,
    account_id   TEXT,
    sealed       BYTEA,
    state        TEXT   NOT NULL,
    tries        BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    not_after    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    finished_at  BIGINT,
    reason       TEXT
);
CREATE INDEX outbox_due ON outbox (lane, due_at, id) WHERE state = 'queued';
CREATE INDEX outbox_by_age ON outbox (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE signing_key (
    id         TEXT   NOT NULL PRIMARY KEY,
    alg        TEXT   NOT NULL,
    public_key TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retired_at BIGINT,
    revoked_at BIGINT,
    removed_at BIGINT
);

CREATE TABLE server_key (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    scopes      TEXT   NOT NULL,
    secret_hash BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    revoked_at  BIGINT
);
