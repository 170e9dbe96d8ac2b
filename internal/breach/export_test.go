package breach

// Load is what LoadFile does, with a room that a test can fill.
var Load = load
