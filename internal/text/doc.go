// Package text holds every sentence that a person reads, in every language that limen
// speaks.
//
// One file per language lies in locales/: an object of flat keys ("sign_in.title") to
// messages. A message is plain text with named placeholders, "Sign in to {app}". Where
// the words depend on a number, the value is an object with one message per plural form
// of that language (CLDR: zero, one, two, few, many, other), and the number is the
// argument "n". Messages carry no markup: a caller that wants a value emphasised asks
// for the pieces of the message and dresses the value itself, so a translation can never
// inject HTML.
//
// Invariants, each held by the loader and therefore by every start of the program:
// every language has exactly the keys of English, a key is plural in all of them or in
// none, a plural message has exactly the forms its language needs, and the placeholders
// of a key are the same everywhere (a plural form may leave out {n}: "one minute").
// A stray brace, a duplicate key or an unknown form is an error.
//
// Adding a language is adding a file. Numbers are written with Western digits in all
// languages, Arabic included: codes, addresses and clock times stand beside them.
//
// Limits: language preferences come from strangers, so what Match reads of each source
// is bounded (512 bytes, 16 tags); anything malformed is as good as absent.
//
// BCP 47 (tags), RFC 4647 (matching, as golang.org/x/text/language does it), RFC 9110
// section 12.5.4 (Accept-Language), CLDR plural rules.
package text
