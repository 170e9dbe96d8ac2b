// Command go-api is an application that protects its routes with limen: one for whoever
// is signed in, one for a role, and one that asks for a fresh proof and a live session.
//
//	go run ./cmd/limen dev                     # in one terminal
//	go run ./examples/go-api                   # in another
//	open http://localhost:8080/hello
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

func main() {
	auth := flag.String("limen", "http://localhost:4455", "where limen is")
	listen := flag.String("listen", "localhost:8080", "where to listen")
	flag.Parse()
	log.Printf("open http://%s/hello", *listen)
	log.Fatal(http.ListenAndServe(*listen, routes(limenauth.New(*auth))))
}

// routes is the whole application.
func routes(a *limenauth.Auth) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /hello", a.Require(http.HandlerFunc(hello)))
	mux.Handle("GET /admin", a.Require(http.HandlerFunc(hello), limenauth.Role("admin")))
	mux.Handle("POST /transfer", a.Require(http.HandlerFunc(transfer), limenauth.Fresh(10*time.Minute), limenauth.Live()))
	mux.Handle("/auth/callback", a.Callback())
	mux.HandleFunc("/sign-in", a.SignIn)
	mux.HandleFunc("/sign-out", a.SignOut)
	return mux
}

func hello(w http.ResponseWriter, r *http.Request) {
	u := limenauth.User(r.Context())
	fmt.Fprintf(w, "hello %s\n", u.Email)
}

func transfer(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "done") }
