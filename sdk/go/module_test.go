package limenauth_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

// TestOnlyTheStandardLibrary: whoever imports this package imports nothing else.
func TestOnlyTheStandardLibrary(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(mod, []byte("require")) {
		t.Error("go.mod requires something")
	}
	files, err := filepath.Glob("*.go")
	beside, _ := filepath.Glob("limentest/*.go")
	if files = append(files, beside...); err != nil || len(files) < 10 || len(beside) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(path, "github.com/limenauth/limen/sdk/go") || path == "math/rand" || path == "unsafe" {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

// TestTheLogHoldsNoSecret runs through good and bad fortune at level Debug.
func TestTheLogHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLimen(t)
		b := newLobby(l)
		a := l.auth(limenauth.WithCookieKey(cookieKey), limenauth.WithServerKey(serverKey),
			limenauth.WithLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		v := newVisitor(t, newApp(a), l)
		v.walk(appURL + "/")
		secrets := []string{serverKey, string(cookieKey), "lds_device", "lrt_", v.cookies()["__Host-limenauth_session"]}

		token := l.key.token(mina(time.Now()).with("aud", "https://other.example"))
		secrets = append(secrets, token, token[len(token)-20:], "mina@example.com")
		h := a.Require(whoami, limenauth.Live())
		ask := func(header string) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", header)
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		ask("Bearer " + token)
		l.on(introspectCall, func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "unauthenticated") })
		for range 5 {
			ask("Bearer " + l.key.token(mina(time.Now())))
		}
		code := v.open(v.open(appURL + "/login").location()).location()
		secrets = append(secrets, code[strings.Index(code, "?"):])
		l.on(exchangeCall, func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 401, "link_used") })
		v.open(code)
		time.Sleep(time.Hour)
		l.on(refreshCall, func(w http.ResponseWriter, r *http.Request) { answerProblem(w, 503, "unavailable") })
		v.open(appURL + "/")
		synctest.Wait() // the keys have aged and are fetched in the background
		l.down.Store(true)
		v.send("POST", appURL+"/sign-out", "same-origin")
		b.mu.Lock()
		defer b.mu.Unlock()

		text := out.String()
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
		if n := strings.Count(text, "level=WARN"); n != 3 {
			t.Errorf("%d warnings, want one for introspection, one for the refresh, one for sign-out:\n%s", n, text)
		}
	})
}
