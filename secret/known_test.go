package secret

import "testing"

// Every opened endpoint makes its secrets known; a server opens them for years.
func TestKnownSecretsTakeNoMoreMemory(t *testing.T) {
	t.Parallel()
	var s Scrubber
	s.Add("hunter2", "hunter2", "p@ssword")
	before := s.known.Load()
	s.Add("p@ssword", "hunter2")
	if s.known.Load() != before {
		t.Error("known secrets are kept again")
	}
}
