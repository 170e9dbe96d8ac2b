// Package pages is the door for browsers: the hosted screens for signing up, signing in
// and looking after one's own account.
//
// A screen is a typed view (view.go) and a template of the same name. Render fills the
// one from the other into memory and writes nothing unless all of it succeeded, so a
// broken template never leaves half a page. Every sentence comes from the catalogues of
// package text; a template that names an unknown key or forgets an argument fails its
// test, not its reader.
//
// Invariants. Every page works without JavaScript: each button is a form that posts, each
// refusal is a page. The script only adds (show the password, strip a pasted code, count
// down), and nothing depends on it. There is no inline style, script or event handler,
// so the policy "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'
// data:; font-src 'self'" holds. Whatever a person or an application supplied is escaped
// by html/template and isolated with <bdi>, so it can neither run nor reverse the line
// it stands in. A password is never put back into a form.
//
// A link from a letter is opened by scanners before its reader comes, so its page changes
// nothing until a form is posted. The script posts it unasked only where the browser holds
// the cookie of the attempt, which no letter carries; every other browser is asked, and
// lets nobody in but the screen whose number it is told.
//
// Static files carry the hash of their content in their name, so they may be cached for
// ever; the style sheet's tokens are its first block and the plain colours for older
// browsers are derived from them when the program starts.
//
// The screens meet WCAG 2.2 AA: axe-core finds nothing on any of them in light and dark,
// wide and narrow, left-to-right and right-to-left, and the contrasts of the tokens are
// computed by a test. HTML and CSS of a page stay under 8 KB compressed.
//
// Threats: a screen is a phishing target, so each names the host it is on; a form that
// asks for a secret never loads anything from elsewhere; what an error page reveals is
// the words for its code and the request id.
package pages
