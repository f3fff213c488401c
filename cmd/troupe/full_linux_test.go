package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"troupe/gateway/client"
)

// smallDisk mounts a file system of a few MiB in memory, where that is permitted.
func smallDisk(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return path
}

// TestDiskReallyFull fills a real disk through a real broker: it refuses with a sentence that says what to do, serves what it
// has, and goes on as soon as that was done, without a restart.
func TestDiskReallyFull(t *testing.T) {
	t.Setenv("TROUPE_DATA_RESERVE_BYTES", "8MiB")
	p := brokerAt(t, smallDisk(t), "127.0.0.1:0")
	at := "--broker=" + p.Gateway
	must(t, "", "topic", "create", "pets", at)
	writer, err := client.New(client.WithBroker(p.Gateway), client.WithDeliveryTimeout(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	line := bytes.Repeat([]byte("x"), 500_000)
	produce := func() error { return writer.ProduceSync(t.Context(), &client.Record{Topic: "pets", Value: line}) }
	acknowledged := 0
	for ; err == nil; err = produce() {
		if acknowledged++; acknowledged > 60 {
			t.Fatal("the disk does not fill")
		}
	}
	acknowledged-- // the first turn produced nothing
	for _, part := range []string{"DISK_FULL", "8.0 MiB", "topic trim"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal does not name %q: %v", part, err)
		}
	}
	if got := must(t, "", "consume", "pets", "--from", "start", "--until", "end", at); len(got) != acknowledged*(len(line)+1) {
		t.Fatalf("%d bytes of %d records are served", len(got), acknowledged)
	}
	if got := troupe(t, "", "topic", "create", "dogs", at); got.code == exitFine || !strings.Contains(got.problems, "topic trim") {
		t.Fatalf("a topic on a full disk: %+v", got)
	}
	if got := troupe(t, "", "cluster", "status", at); !strings.Contains(got.out+got.problems, "free") {
		t.Errorf("cluster status says nothing of it: %+v", got)
	}
	must(t, "", "topic", "trim", "pets", "--before", "end", at)
	deadline := time.Now().Add(20 * time.Second)
	for err = produce(); err != nil; err = produce() {
		if time.Now().After(deadline) {
			t.Fatalf("the disk is free, and produce is still refused: %v", err)
		}
	}
}
