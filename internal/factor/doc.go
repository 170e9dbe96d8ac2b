// Package factor is the proofs: what a person shows to prove who they are, and the rules
// by which a proof is judged. In this release: passwords and codes by e-mail.
//
// The room is pure. It reads no clock and no database; randomness comes from package
// secret (bcrypt alone draws its own salt, inside x/crypto). Time is an argument.
//
// # Passwords
//
// A password is 8 to 256 code points, at most 1,024 bytes, of any characters and in any
// composition (NIST SP 800-63B-4 section 3.1.1.2, ASVS 6.2.5, 6.2.9). It is refused when
// it is common or when it carries what the person is called (ASVS 6.2.4, 6.2.11). It is
// never trimmed, folded or cut (ASVS 6.2.8); the one change is Unicode normalisation to
// NFC (UAX #15), so that the same text typed on two systems is the same password.
//
// Stored forms:
//
//	$argon2id$v=19$m=..,t=..,p=..$salt$hash   ours: RFC 9106 over the NFC text
//	$limen-bcrypt$h=nfc$2a$..                 ours: bcrypt over the NFC text
//	$limen-bcrypt$h=hmac-sha384$2a$..         ours: bcrypt over base64(HMAC-SHA-384(domain, NFC text))
//	$limen-raw$argon2id$..                    imported: RFC 9106 over the bytes as received
//	$2a$.. $2b$.. $2y$..                      imported: bcrypt over the bytes as received
//
// bcrypt reads 72 bytes and stops, so a longer text of ours is hashed first and marked;
// it is never truncated. The inner hash is keyed with a fixed domain string, so a plain
// SHA-384 that leaked elsewhere opens nothing here ("password shucking"), and base64, so
// a zero byte cannot end the input early. An imported bcrypt hash says nothing of what
// its maker did with byte 73: it never fits a password longer than 72 bytes. Every form
// that is not Hashing.Current is replaced at the next sign-in that proves the password.
//
// Invariants. Hash refuses settings below the OWASP minimums, and more than one thread:
// one hash is one slot of the queue and one core. No hash that Verify accepts needs more
// than 256 MiB or about a second of one core, whoever wrote it: a hostile import cannot
// exhaust the machine. Verify compares in constant time.
//
// Limits. Passwords are judged here, not strength-scored. While a database holds hashes
// of several costs, time can tell them apart; that ends as people sign in. No pepper:
// a copied database can be attacked offline at the price of one hash per guess.
//
// # Codes
//
// A code is 6 digits, lives 10 minutes, and dies at the first success, after 5 wrong
// tries, or when a newer one is sent within the same attempt (api.md section 2; ASVS
// 6.5.1, 6.5.4, 6.5.5, 6.6.3). Wrong, expired, superseded and decoy codes are one and the
// same in every answer and every counter. Across attempts an address has a Budget: 10
// wrong codes an hour and 100 in a row (NIST SP 800-63B-4 section 3.2.2), whether an
// account stands behind it or not.
//
// Threats. Guessing: 5 tries of a million, 100 in a row, so at most one account in ten
// thousand falls to somebody who spends its whole budget. Parallel guessing is for the
// caller to stop: it must judge and write back under one lock, since this room only
// says what the next state is.
package factor
