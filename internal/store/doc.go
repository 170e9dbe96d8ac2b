// Package store holds all SQL of limen, one text for SQLite and PostgreSQL, and
// is the only importer of database/sql and its drivers.
//
// # What it is
//
// One file per noun (account.go, session.go ...) says what is read and written;
// the files named here say how: tx.go (transactions and their retries), reader.go
// (one way to read, inside and outside a transaction), writer.go (group commit),
// sqlite.go, postgres.go and pipeline.go (the engines), migrate.go and ddl.go (the schema),
// birth.go (what a database is, and who may open it).
//
// # Invariants
//
//   - What was acknowledged is durable. A nil error from Tx means that the
//     transaction is on the disk (SQLite: WAL with synchronous=FULL, standards D10;
//     PostgreSQL: as its synchronous_commit says, and "off" is warned of).
//   - A closure given to Tx happens wholly or not at all, and sees no other closure
//     that is half done.
//   - Nobody is told anything that rests on rows which later vanish: a closure's
//     refusal, too, is reported only after the commit of the rows it has read.
//   - ErrOutcomeUnknown is the third answer. It is given only when the caller left,
//     or the connection broke, after the work had begun; the work then stands or
//     falls as a whole.
//   - Read-then-write takes a FOR UPDATE suffix. PostgreSQL loses updates without it
//     (no error tells); SQLite has one writer, so the suffix is dropped there.
//
// # What a closure may do
//
// It may run twice (a serialization failure, a deadlock, a lost batch), so it touches
// nothing but its Tx and variables it sets anew each time. It does not hash, sign,
// speak to the network or wait: on SQLite everybody waits with it. It never calls Tx
// of the same store, which would wait for itself. It closes rows before its next
// statement. Inside a closure reads go through the Tx: the store's own methods use
// other connections and do not see what the closure has written.
//
// A Tx has its own context and its methods ignore the one they are handed; it is in
// their signature so that one method serves Store and Tx. On SQLite a transaction is
// shared by a batch of callers, and the leaving of one must not interrupt the others.
// On PostgreSQL the transaction's context is the one that was given to Store.Tx.
//
// # Group commit
//
// SQLite has one writer at a time, and a durable commit costs one fsync however much
// it holds. So closures that are waiting together share a commit. One goroutine, the
// writer, owns the only connection that may write. It begins a transaction, hands the
// connection to the first caller in line, takes it back, hands it to the next, and
// commits when nobody waits any more, when 64 closures have run, or after 5 ms. It
// never waits for company: alone, a closure commits at once. But it lets whoever can run
// do so first, since those who are about to stand in line may as well share the commit.
//
// A closure runs in its caller's goroutine, under a savepoint. So a panic goes where
// it belongs, with its stack, and a closure never runs behind the back of a caller
// who has left. An error or a panic rolls back to the savepoint and concerns nobody
// else. A single statement of the store's own (refresh) needs neither: the writer runs
// it itself, and saves the way there and back. When the whole transaction is lost (a full disk, a closure that says
// ROLLBACK) or its COMMIT fails, nobody is acknowledged, and each closure runs once
// more, alone: the one that broke the batch breaks only itself.
//
// A caller may leave at any time. Before its turn, nothing has happened and it gets
// its context's error; afterwards it gets ErrOutcomeUnknown at once, and its closure
// stands or falls with the batch. A closure whose caller has left is not run again.
//
// Wake-ups (Tx.AfterCommit) run after the acknowledgement, in the caller's goroutine,
// and not at all when the outcome is unknown: they are hints, never duties.
//
// The line in front of the writer is bounded; when it is full, fault.ErrUnavailable
// is better than a wait that nobody survives.
//
// # Round trips
//
// PostgreSQL groups commits by itself; there the price of a deed is the number of times
// it waits for an answer. BEGIN travels with the first statement, and what nobody needs
// an answer to (Tx.post: an event, a letter, a new row) with the next statement or with
// COMMIT. A sign-in so takes four round trips instead of eight. An error of such a
// statement is told later, at the latest by Tx itself, and the closure has then happened
// not at all.
//
// # SQL that runs on both
//
// $N placeholders (modernc.org/sqlite binds them by number, see the test), CAST and
// never ::, ids TEXT, times BIGINT microseconds since 1970 in UTC, JSON as TEXT,
// booleans with CHECK (x IN (FALSE, TRUE)), RETURNING with bare column names. Text is
// valid UTF-8 without NUL before it arrives here. Nil bytes are NULL; empty bytes are
// not, but SQLite's driver reads both as nil, so nothing may depend on the difference. Every SQL text is a constant named
// sqlSomething; a test prepares each on both engines and refuses plans that scan a
// table which grows.
//
// Migrations are shared files NNNN_name.sql, written for PostgreSQL and translated
// for SQLite by swapping four type words; what cannot be shared is a pair
// NNNN_name.sqlite.sql and NNNN_name.postgres.sql. A release expands, a later one
// contracts: a process refuses only a schema whose meta row min_reader is above the
// newest migration it knows.
//
// # Limits and threats
//
// A SQLite file has one limen process that serves; commands beside it (limen user)
// wait for the write lock. The file is created with mode 0600 in a directory of mode
// 0700. The database holds a check value of the root key and its own kind, so a
// wrong key or the wrong command (limen dev on production data) refuses to start.
// Texts of drivers stay hidden causes of faults; they can quote values of rows.
package store
