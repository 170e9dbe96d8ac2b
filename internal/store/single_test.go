package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/store"
)

// These tests are of single statements on SQLite, which the writer runs itself.

const returningScratch = insertScratch + ` RETURNING id`

func TestSingleWhoseCallerLeavesBeforeItBegins(t *testing.T) {
	d := slow(t)
	release := hold(t, d.Store)
	ctx, leave := context.WithCancel(t.Context())
	told := make(chan error)
	go func() {
		_, err := d.Store.Single(ctx, returningScratch, []any{"a", 0}, scanNothing)
		told <- err
	}()
	until(t, func() bool { return d.Store.Stats().Waiting == 1 })
	leave()
	if err := <-told; err != context.Canceled {
		t.Errorf("told %v, want that nothing has happened", err)
	}
	release()
	if err := d.Store.Tx(t.Context(), insert("b")); err != nil {
		t.Error(err)
	}
	wantIDs(t, d.Store, "b")
}

func TestSingleWhoseCallerLeavesWhileItRuns(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("batch lost=%v", lost), func(t *testing.T) {
			d := slow(t)
			ctx, leave := context.WithCancel(t.Context())
			gone := make(chan struct{})
			runs := 0
			told := batch(t, d.Store,
				func() error {
					defer close(gone)
					found, err := d.Store.Single(ctx, returningScratch, []any{"a", 0}, func(scan func(...any) error) error {
						runs++
						leave()
						<-gone // the caller has its answer while this still runs
						return scanNothing(scan)
					})
					if found {
						t.Error("found what may not be there")
					}
					return err
				},
				writing(t, d.Store, func(tx *store.Tx) error {
					if !lost {
						return nil
					}
					_, err := tx.Exec(`INSERT INTO child (id) VALUES ('orphan')`)
					return err
				}),
				writing(t, d.Store, insert("c")),
			)
			if err := told[0]; !errors.Is(err, store.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
				t.Errorf("who left was told %v", err)
			}
			if told[2] != nil || runs != 1 {
				t.Errorf("who stayed was told %v, and %d runs", told[2], runs)
			}
			if lost {
				wantIDs(t, d.Store, "c")
			} else {
				wantIDs(t, d.Store, "a", "c")
			}
		})
	}
}

func TestPanicOfASingleConcernsItsCallerOnly(t *testing.T) {
	d := slow(t)
	told := batch(t, d.Store,
		writing(t, d.Store, insert("a")),
		func() error {
			_, err := d.Store.Single(t.Context(), returningScratch, []any{"b", 0}, func(func(...any) error) error { panic("a row like no other") })
			return err
		},
		writing(t, d.Store, insert("c")),
	)
	if told[0] != nil || told[2] != nil {
		t.Errorf("the others were told %v and %v", told[0], told[2])
	}
	if told[1] == nil || !strings.Contains(told[1].Error(), "a row like no other") {
		t.Errorf("its caller was told %v", told[1])
	}
	wantIDs(t, d.Store, "a", "b", "c") // as with any scan that fails, the statement stands
}

func TestCallerOfASingleWorksBeforeTheCommit(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("batch lost=%v", lost), func(t *testing.T) {
			d := slow(t)
			worked := make(chan struct{}, 2)
			told := batch(t, d.Store,
				func() error {
					found, err := d.Store.SingleMeanwhile(t.Context(), returningScratch, []any{"a", 0}, func() { worked <- struct{}{} })
					if !found {
						t.Error("nothing found")
					}
					return err
				},
				writing(t, d.Store, func(tx *store.Tx) error {
					<-worked // the transaction is still open
					if !lost {
						return nil
					}
					worked <- struct{}{} // for the second run, alone
					_, err := tx.Exec(`INSERT INTO child (id) VALUES ('orphan')`)
					return err
				}),
			)
			if told[0] != nil {
				t.Error(told[0])
			}
			wantIDs(t, d.Store, "a")
		})
	}
}
