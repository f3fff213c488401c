package wal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"troupe/partitions"
	"troupe/partitions/id"
)

// inspected looks at the bench's replica while nobody has it open.
func inspected(t *testing.T, b *bench) (*Offline, *Inspection) {
	t.Helper()
	b.kill()
	o, err := OpenOffline(b.path, "a test")
	must(t, err)
	i, err := o.Inspect(o.Replicas[0])
	must(t, err)
	return o, i
}

// TestInspectEmpty: a replica that waits for its first snapshot is whole, unless there is something in it.
func TestInspectEmpty(t *testing.T) {
	b := newEmptyBench(t, Options{})
	o, i := inspected(t, b)
	if i.Health() != HealthWhole {
		t.Fatalf("%+v", i.Findings)
	}
	_, err := o.Repair(i, nil)
	must(t, err)
	must(t, o.Close())
	must(t, os.WriteFile(filepath.Join(b.replicaPath(), segmentName(1)), []byte("something"), 0o640))
	o, i = inspected(t, b)
	if i.Health() != HealthAmnesia {
		t.Fatalf("%+v", i.Findings)
	}
	_, err = i.Loss()
	wantErr(t, err, ErrBeyondRepair)
	must(t, o.Close())
}

// TestInspectInstall: whatever a kill leaves of an installation is no damage, and a repair finishes it. A snapshot that does
// not verify is.
func TestInspectInstall(t *testing.T) {
	for name, begin := range successions {
		t.Run(name, func(t *testing.T) {
			sys := &faulty{}
			s := begin(t, Options{system: sys})
			var states []map[string][]byte
			sys.watch = func(string) { states = append(states, readFiles(t, s.replicaPath())) }
			must(t, s.log.Append([]partitions.Write{s.write}))
			sys.watch = nil
			must(t, s.log.Close())
			interrupted := 0
			for n, files := range states {
				slot, err := ParseSlots(files[hardStateName])
				must(t, err)
				s.put(t, files)
				o, i := inspected(t, s.bench)
				if i.Health() > HealthTorn {
					t.Fatalf("step %d: %+v", n, i.Findings)
				}
				_, err = o.Repair(i, nil)
				must(t, err)
				must(t, o.Close())
				if slot.Phase != PhaseInstalling {
					continue
				}
				interrupted++
				s.restart()
				l := s.open()
				s.replaced(t, l)
				must(t, l.Close())
				for file, b := range files {
					if file == snapshotName(s.write.Snapshot.Index) || file == baseName(s.write.Snapshot.Index) {
						spoiled := map[string][]byte{file: spoil("flip", b, len(b)/2)}
						for other, c := range files {
							if other != file {
								spoiled[other] = c
							}
						}
						s.put(t, spoiled)
						o, i := inspected(t, s.bench)
						_, err := i.Loss()
						wantErr(t, err, ErrBeyondRepair)
						if i.Health() != HealthAmnesia {
							t.Fatalf("step %d, spoiled: %+v", n, i.Findings)
						}
						must(t, o.Close())
					}
				}
			}
			if interrupted < 3 {
				t.Fatalf("%d steps", interrupted)
			}
		})
	}
}

// TestChangedVotersAreNotGivenUp: behind the newest checkpoint the log says that others came to vote.
func TestChangedVotersAreNotGivenUp(t *testing.T) {
	s := newScene(t)
	change := partitions.Entry{Index: s.story.next, Term: s.story.term, Type: partitions.EntryConfiguration, Payload: []byte("raft's")}
	end := s.segments()[len(s.segments())-1]
	first := s.segments()[0]
	for _, name := range s.names { // in the segment that was begun and holds nothing yet, or behind the last entry
		if name > end && name[0] == '0' {
			end = name
		}
	}
	files := map[string][]byte{
		end:   append(bytes.Clone(s.files[end]), AppendEntry(nil, testReplica, change, id.Index(uint64(change.Index)-1))...),
		first: spoil("flip", s.files[first], 60),
	}
	o, i := s.look(files)
	if _, err := i.Loss(); i.Health() != HealthHole {
		t.Fatalf("%v, %v", i.Findings, err)
	} else {
		wantErr(t, err, ErrBeyondRepair)
	}
	must(t, o.Close())
}
