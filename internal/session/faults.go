package session

import "github.com/limenauth/limen/internal/fault"

// The refusals of sessions. ErrEnded and ErrReused are final: a client clears its state.
var (
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "Sign in to do this.")
	ErrEnded           = fault.New(fault.Unauthenticated, "session_ended", "This session has ended. Sign in again.")
	ErrReused          = fault.New(fault.Unauthenticated, "refresh_reused", "This session was ended because an old token was used. Sign in again.")
	ErrSuperseded      = fault.New(fault.Conflict, "refresh_superseded", "A newer token was issued a moment ago. Use the newest one.")
)
