package factor

import "testing"

func TestTestHashing(t *testing.T) {
	h := TestHashing()
	made, err := h.Hash("a threshold of stone")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.Verify(made, "a threshold of stone"); !ok || err != nil {
		t.Errorf("the right password: %v, %v", ok, err)
	}
	if ok, _ := h.Verify(made, "another"); ok {
		t.Error("a wrong password fits")
	}
	if !h.Current(made) {
		t.Error("its own hash is not current")
	}
	if DefaultHashing().Current(made) {
		t.Error("such a hash passes for one of ours")
	}
	h = Hashing{Algorithm: h.Algorithm, MemoryKiB: h.MemoryKiB, Time: h.Time, Threads: h.Threads}
	if h.Check() == nil {
		t.Error("the same settings are accepted from somewhere else")
	}
}
