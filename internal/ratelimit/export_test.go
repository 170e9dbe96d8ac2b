package ratelimit

// Entries returns how many things are remembered.
func (s *Spread) Entries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}
