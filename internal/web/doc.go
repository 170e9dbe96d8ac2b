// Package web is the hallway that all doors share. A door is a Table of rows: pattern,
// guard, limit, handler. Whatever must be true of every request is done here once, so
// that no door can forget it.
//
// What a request passes, in this order: a request id; the security headers; the last
// resort for panics; the Host check of development; the path check; the one
// http.ServeMux; the row's cross-origin rule; the row's limit; the row's guard; the JSON
// edge; the handler; and, when something was refused, the one writer of refusals.
//
// Invariants.
//   - A row without a guard or without a limit does not open: the zero value is refused.
//   - An unsafe request without Authorization is same-origin or comes from an allowed
//     origin. Exceptions are named on their row, with the reason, and see no session
//     cookie. With Authorization no cookie is read at all.
//   - One function, KeepGrant, decides what of a grant goes into cookies, and one,
//     WriteGrant, writes the rest: a token that belongs in a cookie is in no body.
//   - A cookie that says which browser began something is host-only (Hallway.attemptCookie):
//     no Domain and always __Host- over https. A shared one let a sibling host plant its
//     own browser's value, and the visitor's sign-up was completed with the attacker's
//     password. A sign-in changes it (KeepGrant).
//   - The client's address comes from the connection, and from X-Forwarded-For only
//     through listed proxies, from right to left.
//   - An error that is not a fault says nothing but the request id; its cause is logged.
//   - Matcher and router see one path: what could be read in two ways is not found.
//   - Logs carry the route's pattern and the address prefix, never a query, a header, a
//     cookie or a body.
//
// JSON edge. A body is scanned once and bound by exact member names; encoding/json would
// take "Password" for password and the second of two duplicates. Duplicates, NUL bytes,
// invalid UTF-8 and wrong types are told by field. OpenAPI is generated from the same
// types that the edge reads and writes.
//
// Threats: cross-site request forgery and its framework mistakes (CVE-2025-47910,
// golang/go#78563), malformed cookies taken for a pass (CVE-2026-25748), forged proxy
// headers (CVE-2024-47070), paths that guard and router read differently
// (CVE-2026-41248), cookie tossing, DNS rebinding in development, bodies made to exhaust.
//
// Limits: the hallway knows no rule about people. It reaches deeds through function
// fields that app gives it, and never the store.
//
// RFC 9110, RFC 9457 (problems), RFC 6750 (bearer), RFC 6265bis (cookies), RFC 8259
// (JSON), Fetch (CORS), Fetch Metadata.
package web
