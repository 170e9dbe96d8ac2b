package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "localhost" + l.Addr().String()[strings.LastIndex(l.Addr().String(), ":"):]
}

// TestEmbed runs the whole program: both halves answer, and it stops when it is told to.
func TestEmbed(t *testing.T) {
	signIn, application := freePort(t), freePort(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, signIn, application, t.TempDir()) }()
	client := &http.Client{Timeout: 5 * time.Second}
	var answer *http.Response
	for deadline := time.Now().Add(20 * time.Second); ; {
		var err error
		if answer, err = client.Get("http://" + signIn + "/readyz"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // until the port is bound
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%d %s %v", answer.StatusCode, body, err)
	}
	if answer, err = client.Get("http://" + application + "/hello"); err != nil || answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("the application: %v %v", answer, err)
	} else {
		answer.Body.Close()
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not stop")
	}
}
