package ratelimit

// What the tests of the protocol reach for.
var (
	ReadAnswer    = readAnswer
	AppendCommand = appendCommand
)
