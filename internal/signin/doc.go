// Package signin is the attempt as a state machine: from what has been proven, what the
// account demands and what the policy allows, it decides the next step.
//
// An attempt begins with a purpose (sign up, sign in, prove oneself again), collects
// proofs and ends once: complete, denied, displaced or expired. Every way to sign in
// goes through Next, so a rule that is added here (a second factor, a ban, a risk
// verdict) holds on every path at once; no door and no deed decides it again. That is
// the lesson of the field's worst advisories: a check that one of several paths forgot.
//
// An attempt of a signed-in person belongs to the session that began it (Attempt.Orphaned).
// A thief who had asked to add an address once attached it after the owner had signed out
// everywhere.
//
// Invariants. Only Next builds a session.Granted. A Granted needs at least one proof
// that belongs to the purpose. A ban is told only to those who proved every factor, and
// never to a bare password, so that a password cannot be tested against banned accounts
// (api.md section 1). An e-mail code is one weak factor: the level stays 1 (D4).
//
// The room is pure: it reads no clock, no database and no randomness.
package signin
