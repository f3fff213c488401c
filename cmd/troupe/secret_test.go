package main

import (
	"encoding/json"
	"testing"

	"troupe/actors/remote"
)

// TestSecretNew prints secrets that a secret file may hold, each another one.
func TestSecretNew(t *testing.T) {
	file := must(t, "", "secret", "new") + must(t, "", "secret", "new")
	var third struct{ Secret string }
	if err := json.Unmarshal([]byte(must(t, "", "secret", "new", "--output", "json")), &third); err != nil {
		t.Fatal(err)
	}
	secrets, err := remote.ParseSecrets([]byte(file + third.Secret))
	if err != nil || len(secrets) != 3 {
		t.Errorf("%d different secrets of 3, %v", len(secrets), err)
	}
	if r := troupe(t, "", "secret", "new", "please"); r.code != exitUsage {
		t.Errorf("with a word too much: exit %d\n%s%s", r.code, r.out, r.problems)
	}
}
