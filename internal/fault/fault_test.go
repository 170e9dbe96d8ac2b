package fault_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/fault"
)

func TestCopiesLeaveTheDeclarationAlone(t *testing.T) {
	declared := fault.New(fault.Invalid, "sample", "A sample.")
	cause := errors.New("disk on fire")
	got := declared.Because(cause).After(time.Second).Left(3).Offering("password").Field("a", "required").Field("b", "invalid").Saying("Other.")
	if declared.RetryAfter != 0 || declared.TriesLeft != nil || declared.Factors != nil || declared.Fields != nil || declared.Detail != "A sample." || declared.Unwrap() != nil {
		t.Errorf("the declaration changed: %+v", declared)
	}
	if !errors.Is(got, declared) || !errors.Is(got, cause) || len(got.Fields) != 2 || *got.TriesLeft != 3 || got.RetryAfter != time.Second {
		t.Errorf("%+v", got)
	}
	one := declared.Field("a", "x")
	_ = one.Field("b", "y")
	if len(one.Fields) != 1 {
		t.Error("two copies share their fields")
	}
}

func TestOf(t *testing.T) {
	refusal := fault.ErrNotFound
	if got := fault.Of(fmt.Errorf("while looking: %w", refusal)); got.Code != "not_found" {
		t.Errorf("%+v", got)
	}
	hidden := fault.Of(errors.New("password=hunter2"))
	if hidden.Kind != fault.Internal || hidden.Code != "internal_error" || hidden.Detail != fault.ErrInternal.Detail {
		t.Errorf("%+v", hidden)
	}
	if errors.Is(fault.ErrNotFound, fault.ErrForbidden) {
		t.Error("two codes are one")
	}
}
