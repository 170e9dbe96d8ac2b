package limenauth

import "net/http"

const signOutPath = "/v1/sign-out"

// SignOut ends this browser's session, here and at the server, and sends the browser
// to the form value return_to, "/" by default. It takes a POST from the application's
// own pages only:
//
//	mux.HandleFunc("/sign-out", a.SignOut)
//
//	<form method="post" action="/sign-out"><button>Sign out</button></form>
//
// The cookie goes even when the server cannot be told; that is logged, and the
// session then ends by its own limits.
func (a *Auth) SignOut(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		a.turnDown(w, r, wrongMethod())
		return
	}
	if _, problem := a.ready(); problem != nil {
		a.turnDown(w, r, problem)
		return
	}
	if !a.browser.sameOrigin(r) {
		a.turnDown(w, r, crossOrigin())
		return
	}
	s, err := a.readSession(r)
	if s != nil {
		a.endSession(r, s)
	}
	if s != nil || err != nil {
		a.browser.clear(w, r, "session")
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	seeOther(w, safePath(r.PostFormValue("return_to")))
}

func (a *Auth) endSession(r *http.Request, s *session) {
	a.renewals.forget(s.id)
	// The refresh token speaks for the session when the access token has expired, and a
	// bound session wants its device secret beside it.
	header := http.Header{"Authorization": {"Bearer " + s.access}}
	if s.device != "" {
		header.Set("Limen-Device", s.device)
	}
	got, err := a.wire.post(r.Context(), signOutPath, header,
		map[string]string{"scope": "local", "refresh_token": s.refresh})
	if err == nil && got.status >= 300 && got.status != http.StatusUnauthorized {
		err = got.refusal(signOutPath)
	}
	if err != nil {
		a.log.WarnContext(r.Context(), "limenauth: the server could not be told of a sign-out", "err", err)
	}
}
