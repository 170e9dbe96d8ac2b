// Package limenauth protects the routes of a Go program with the sign-ins of a limen
// server. It needs nothing but the standard library.
//
// # Two lines
//
//	a := limenauth.New("https://auth.example.com")
//	mux.Handle("/api/", a.Require(api))
//
// Inside api, [User] tells who is asking:
//
//	u := limenauth.User(r.Context())
//	fmt.Fprintf(w, "hello %s", u.Email)
//
// A route may demand more:
//
//	a.Require(h, limenauth.Role("admin"))            // one of the named roles, else 403 forbidden
//	a.Require(h, limenauth.Fresh(10*time.Minute))    // proved who they are lately
//	a.Require(h, limenauth.MFA())                    // with a second factor (aal2)
//	a.Require(h, limenauth.Live())                   // and the server says so now
//
// [Auth.Optional] lets everybody through and tells who is signed in, [Auth.Verify]
// judges a token that came by another way than HTTP.
//
// # What is checked
//
// A token is an access token of the server (RFC 9068) or it is refused. Its signature
// is ES256, EdDSA or RS256, and each key is good for its own algorithm only; there is
// no symmetric algorithm and no "none". The type must be at+jwt, so an ID token opens
// nothing. Issuer and audience must be the configured ones; exp, nbf and iat are held
// against the clock with a minute of leeway. The headers crit, b64 and zip are refused;
// jku, jwk, x5u and x5c are never read. Base64 must be canonical, JSON well formed and
// free of duplicate members and of half surrogate pairs, the whole token at most 8 KB.
// Beside the claims that RFC 9068 demands a token must carry sid: one that belongs to no
// session could not be ended. testdata/tokens.json is the list that this package and the
// server are tested with.
//
// By default the audience is the address given to [New]. A server that serves several
// applications should give each its own: set it there and with [WithAudience], or a
// token made for one application opens the others.
//
// # What a refusal looks like
//
// Programs get application/problem+json with a stable code ([Problem]); the codes are
// those of the server's API.
//
//	401 unauthenticated            refresh the token once and try again
//	401 session_ended              final: sign in again
//	403 forbidden                  a role is missing
//	403 reauthentication_required  the sign-in is too old (max_age) or too weak (acr_values)
//	403 cross_origin               an unsafe request with the cookie, from another site's page
//	503 unavailable                nobody can say now; Retry-After tells when to ask again
//
// A browser that navigates (GET, Accept: text/html, and Fetch Metadata saying so where
// the browser sends it) is sent to sign in with a 303 instead of a 401. Nobody is ever
// signed out because a network failed: what cannot be judged is 503.
//
// # Keys
//
// The server's public keys are fetched when the first token arrives and kept as long
// as Cache-Control says (10 minutes if it is silent), then renewed in the background.
// A request waits for the network only when its token names an unknown key; all such
// requests wait for one fetch. There is at most one fetch in 10 seconds whatever happens,
// and at most one a minute for the same unknown key. When the server is away the keys in
// hand are used on for a day. A key that has left the list takes the tokens it signed
// with it, also those in memory; the revocation feed says at once that one was revoked.
//
// A key counts when use and key_ops, where it has them, allow verifying. A key set with a
// private or symmetric key, with a kid that appears twice or with an unsound key of ours is
// not used at all: a point that is not on its curve, an RSA modulus below 2,048 bits, with
// a small factor or from the generator of CVE-2017-15361, a small exponent.
//
// # What it costs
//
// A token seen for the first time costs one signature check, some 50 to 100
// microseconds. Afterwards it is in memory (65,536 tokens, about 2 KB each,
// [WithSeenTokens]) and costs a few hundred nanoseconds, without locks between cores.
// Only the signature is remembered: expiry, retired keys and ended sessions are asked
// again at every use, and the whole token is compared, not a hash of it.
//
// # Three ways to learn that a session has ended
//
// A token is a statement with an expiry date. Sign-out, ban and deletion happen after
// it was made. There are three answers; choose per application, and the second per
// route.
//
// 1. Wait for the token to expire. This is the default. It costs nothing and needs
// nothing. An ended session can be used until its token expires: 15 minutes unless
// the server is set otherwise, and a minute of leeway.
//
// 2. Ask at every request, on the routes that deserve it: [Live]. It costs a call over
// the network, typically one to five milliseconds, and such a route is closed (503)
// while the server is away. It is exact: a session that ended a moment ago is refused.
// With [WithServerKey] (scope introspect) it is POST /v1/token/introspect, without a
// key GET /v1/me with the person's own token.
//
// 3. Follow the revocation feed: [WithRevocationFeed], with a server key of scope
// revocations. One goroutine listens to the server, by event stream where it offers
// one, else by asking every 500 ms. A request costs three look-ups in memory. An ended
// session is refused within a second; after a ban or a change of roles, tokens issued
// before it are refused and a refresh brings a new one; after a signing key was revoked,
// all that it signed. Memory: about 150 bytes per ended session, until its tokens have
// expired, at most 100,000 of them (15 MB).
//
// When the feed has had no contact for 30 seconds it is stale: that is logged, told to
// [WithFeedReport] and shown by [Auth.Status], and the policy decides. [Deny] closes
// the routes (503) until contact is back, so that the bound of staleness is 30 seconds
// whatever happens; a program that has just started is closed until its first contact,
// typically some milliseconds, for which [Auth.Start] waits. [Allow] goes on as in the
// first way. More entries than fit count as stale too: nothing is dropped in silence.
//
// [Auth.Close] ends the goroutine.
//
// # Browser sign-in
//
// A server-rendered application on its own origin needs three more lines and an entry
// for its origin in the server's list of allowed redirects:
//
//	mux.Handle("/auth/callback", a.Callback())
//	mux.HandleFunc("/sign-in", a.SignIn)
//	mux.HandleFunc("/sign-out", a.SignOut) // POST
//
// Whoever opens a protected page is sent to the server's sign-in page, comes back with
// a code that works once, for a minute, and only together with a secret that never
// left this browser's cookie (PKCE), and lands on the page they wanted. The tokens are
// kept in one cookie of this origin: HttpOnly, SameSite=Lax, over https Secure with
// the __Host- prefix, sealed with AES-256-GCM under [WithCookieKey]. No page script
// and no other host sees them. When 80 % of a token's life is gone the next request
// renews it; requests that come together share one refresh. Only the server's words
// session_ended and refresh_reused remove the cookie. Where the server says
// refresh_superseded, another process has the newest token: a page is sent to itself once
// and comes again with the newest cookie; a program gets 503 and comes again after a second.
//
// Set [WithCookieKey] in production. Without it a key is made up at start, so that a
// restart signs browsers out and two processes cannot read each other's cookies.
//
// Behind a proxy set [WithAppURL]. Without it the application's address is taken from
// the Host header, over https unless the host is loopback; X-Forwarded headers are
// never believed.
//
// A request that changes something and carries the cookie must come from the
// application's own pages (Fetch Metadata, else Origin): otherwise 403 cross_origin,
// before the handler runs. [WithTrustedOrigins] lists exceptions. A request with an
// Authorization header is judged by that alone; cookies are not read.
//
// After a [Fresh] or [MFA] refusal a page is sent to sign in again with max_age or
// acr_values; if the person comes back and still does not meet the need, the answer is
// 403, not another round.
//
// # What it does not do
//
// It does not sign the person out at the server's own pages: the next sign-in there
// may be immediate. It keeps no list of sessions; that is the server's. It does not
// protect against a handler that is reachable past Require: wrap the handler itself,
// not a path in front of it. It judges a request once, when it begins; a stream that
// stays open for hours should call [Auth.Verify] again now and then. Two processes that refresh the same session at once rely
// on the server's window for that (30 seconds in its default policy).
//
// # Standards
//
// RFC 6750 (bearer tokens), RFC 7515 to 7519 and 8037 (JOSE), RFC 7636 (PKCE),
// RFC 7662 (introspection), RFC 8725 (JWT best practice), RFC 9068 (access tokens),
// RFC 9457 (problems), RFC 9470 (step-up). Departures: RFC 9470 answers 401 where this
// package answers 403, because in this API a 401 means "refresh"; signatures with
// PS256, ES384 and the like are refused, because the server does not make them.
package limenauth
