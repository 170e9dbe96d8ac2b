// Command embed is a program that carries its own limen: one process, one binary, sign-in
// on one address and the application on another.
//
//	go run ./examples/embed
//	open http://localhost:8080/hello
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/limenauth/limen"
	limenauth "github.com/limenauth/limen/sdk/go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, "localhost:4455", "localhost:8080", ".limen"); err != nil {
		log.Fatal(err)
	}
}

// run serves limen on one address and the application on the other until ctx ends.
func run(ctx context.Context, signIn, application, data string) error {
	server, err := limen.New(ctx, limen.Config{URL: "http://" + signIn, Development: true, Data: data})
	if err != nil {
		return err
	}
	defer server.Close()
	jobs := make(chan struct{})
	go func() { server.Run(ctx); close(jobs) }()

	a := limenauth.New("http://" + signIn)
	mux := http.NewServeMux()
	mux.Handle("GET /hello", a.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", limenauth.User(r.Context()).Email)
	})))
	mux.Handle("/auth/callback", a.Callback())

	both := []*http.Server{
		{Addr: signIn, Handler: server, ReadHeaderTimeout: 5 * time.Second},
		{Addr: application, Handler: mux, ReadHeaderTimeout: 5 * time.Second},
	}
	failed := make(chan error, len(both))
	for _, s := range both {
		go func() { failed <- s.ListenAndServe() }()
	}
	log.Printf("open http://%s/hello", application)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	for _, s := range both {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		err = errors.Join(err, s.Shutdown(grace))
		cancel()
	}
	if ctx.Err() == nil {
		return err
	}
	<-jobs
	return nil
}
