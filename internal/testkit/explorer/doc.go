// Package explorer tries to take accounts over, and to take them back. A run is one
// account on the real router, in this process, with its own clock and without limits: its
// owner changes things and lets days pass, a thief gets hold of something and does what he
// can, and then the owner uses one remedy. Both know only what they have seen over HTTP and
// in messages to their own contacts; each keeps every token, cookie, link and code. The
// database is read for two things only: the proof times, and what has changed behind a
// party's back. A seed is a run; the steps are drawn while it is played, with a bias to
// those that look possible, and can be played again from a Plan. Shrink leaves steps out
// of a finding for as long as the same is violated.
//
// The thief has held a session for a moment, has copied a browser's cookies with the
// device secret, or has the password; in one variant of the last he waits for 80 hours,
// so that his own contacts are senior. He may take every call of api.md sections 1 to 4
// that changes something. The owner's contacts are called o1, o2, o3 and the number op,
// the thief's x1, x2 and xp.
//
// The remedies are those of standards D12: the link that undoes a change, "this was not
// me", "keep my account" by a link or a code, and recovery. The owner uses one that has
// reached a contact which was senior then, by the package's own reading of the rule
// (world.senior), which shares no code with the one that limen uses. On the page that
// follows, the owner removes what somebody else has added and puts back what somebody else
// has removed; in half of the runs the owner goes straight on to a new password. Ending
// sessions stands beside them: it is no remedy, and promises only that what these sessions
// had begun is over. So do a changed password and a step-up in the very session that the
// thief has held or copied.
//
// The oracles:
//
//  1. Nothing that the thief holds gives a session, or changes or ends anything of the
//     owner's: his access and refresh tokens, hand-over codes, attempts with their codes,
//     links and resends, links that undo at every page that takes links, passwords, what he
//     may keep or review, and every way in by his own contacts.
//  2. The owner signs in, after a recovery where the remedy removed the password, and what
//     was verified 72 h before the theft is verified with its old proof time. What an undo
//     is for is back, and the contact that made the remedy is there.
//  3. A remedy takes what was verified after its cut, max(t - 72 h, proof time of the
//     contact that made it), and nothing else, and never what the account was created with.
//     Where there is no thief, one code brings back what it took.
//
// Beside them are the rules of single steps: who is told of a change and with which link
// (world.told), who may keep an account that is being deleted, what a browser that is not
// signed in may confirm, and that the attempt cookie is limen's own. After some remedies
// the run goes on (world.afterwards): older links are pressed, the account is deleted.
//
// Whether it would find anything is tried by breaking limen: the command's table of broken
// rules (cmd/broken.go) replaces one condition at a time, and each must be found.
//
// What remains is the residual risk that standards D12 names, and no finding:
//
//   - Between two senior contacts the older one wins. A contact of the thief that was
//     verified before the cut is senior to limen and stays until the owner removes it on
//     the page after the remedy. Who leaves that page without a look leaves it there.
//   - A contact whose removal nobody took back in 72 h is gone.
//   - Who answers a message about what they did themselves makes a remedy against that:
//     the 72 h of oracles 2 and 3 count from the incident where it is older than the theft.
//   - A refresh token from just before a step-up still works in a copied browser, with its
//     device secret: that is the browser itself.
//   - "Keep my account" only cancels the deletion, so nothing else is asked of it.
package explorer
