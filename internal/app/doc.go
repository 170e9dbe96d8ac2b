// Package app is the top of the house: it knows everything and decides nothing.
//
// What. It reads the one Config, opens the store, builds every room by naming its
// parts in struct literals, runs the jobs and serves until it is told to stop. No
// registry, no init(), no package variable that changes: what runs is what app.go
// lists.
//
// Invariants. The environment and the clock of the machine are read here and nowhere
// below. A configuration that Check refuses is never built. What stops in the middle
// of a start is closed again.
//
// Threats. Most break-ins begin with a setting, so the settings are part of the
// defence: an unknown key is an error (a misspelt limit would be no limit), an empty
// list allows nothing, there is no default secret, every unsafe combination is refused
// with the setting and the fix in the message, and no message shows a secret.
package app
