package factor

// Describe returns the settings that a stored hash was made with. ok is false for every
// hash that Verify would not read.
func Describe(hash string) (settings Hashing, ok bool) {
	settings, _, err := describe(hash)
	return settings, err == nil
}

// Foreign marks an argon2id hash as one over the bytes that another system received.
func Foreign(hash string) string { return rawMark + hash }
