package factor

// TestHashing returns settings for tests that hash passwords by the hundred thousand. One
// hash takes microseconds, so a stolen database of such hashes is a list of passwords: no
// setting leads here, Check refuses these values in every other Hashing, and
// internal/plan_test.go lets only internal/testkit call it.
func TestHashing() Hashing {
	return Hashing{Algorithm: Argon2id, MemoryKiB: 8, Time: 1, Threads: 1, testing: true}
}
