package limentest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/limenauth/limen/sdk/go/limentest"
)

// A test that signs up over your own screens, and types the code that came.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	inbox, err := limentest.Open(ctx, "http://localhost:4455")
	if err != nil {
		log.Fatal(err)
	}

	// ... fill in your sign-up form for ada@example.test and send it ...

	code, err := inbox.WaitForCode(ctx, "ada@example.test")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("type", code)
}

// Time passes when the test says so: here a code runs out.
func ExampleInbox_AdvanceClock() {
	ctx := context.Background()
	inbox := &limentest.Inbox{URL: "http://localhost:4455"}
	if err := inbox.AdvanceClock(ctx, 11*time.Minute); err != nil {
		log.Fatal(err)
	}
	defer inbox.ResetClock(ctx)
}
