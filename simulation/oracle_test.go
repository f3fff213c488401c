package simulation

import (
	"testing"
	"time"

	"troupe/partitions/id"
)

var somewhere = id.Partition{Topic: 3, Number: 1}

// acked is a send of values that was acknowledged at an offset.
func acked(invoked, completed time.Duration, base id.Offset, values ...Value) *Send {
	return &Send{Partition: somewhere, Values: values, Invoked: invoked, Completed: completed, Outcome: OutcomeAcknowledged, Base: base, Tries: 1}
}

func poll(invoked, completed time.Duration, offset, watermark id.Offset, seen ...Seen) *Poll {
	return &Poll{Partition: somewhere, Invoked: invoked, Completed: completed, Offset: offset, Records: seen, HighWatermark: watermark}
}

// timed is a history of two batches, of times 10 and 20, and an answer about a time.
func timed(s Search) History {
	s.Partition, s.Invoked, s.Completed = somewhere, 3, 4
	return History{
		Sends: []*Send{acked(1, 2, 0, 1), acked(3, 4, 1, 2)}, Searches: []*Search{&s},
		Polls: []*Poll{poll(5, 6, 0, 2, Seen{Offset: 0, Value: 1, Stamp: 10, Newest: 10}, Seen{Offset: 1, Value: 2, Stamp: 20, Base: 1, Newest: 20})},
	}
}

// begins is a poll of a log from its beginning.
func begins(invoked, completed time.Duration, start, watermark id.Offset, seen ...Seen) *Poll {
	p := poll(invoked, completed, start, watermark, seen...)
	p.LogStart = start
	return p
}

// weak is a poll of a leader that may have been deposed.
func weak(client int, invoked, completed time.Duration, term id.Term, watermark id.Offset) *Poll {
	p := poll(invoked, completed, 0, watermark)
	p.Client, p.Weak, p.Term = client, true, term
	return p
}

func trim(invoked, completed time.Duration, before, start id.Offset) *Trim {
	return &Trim{Partition: somewhere, Before: before, Invoked: invoked, Completed: completed, LogStart: start}
}

func TestOracleNamesEachAnomaly(t *testing.T) {
	unknown := &Send{Partition: somewhere, Values: []Value{9}, Invoked: 1, Tries: 1}
	failed := &Send{Partition: somewhere, Values: []Value{8}, Invoked: 1, Completed: 2, Outcome: OutcomeFailed, Tries: 1}
	elsewhere := &Send{Partition: id.Partition{Topic: 4}, Values: []Value{7}, Invoked: 1, Tries: 1}
	repeating := &Send{Partition: somewhere, Values: []Value{6}, Invoked: 1, Tries: 2, Repeats: true}
	first, second := acked(1, 9, 1, 1), acked(2, 8, 0, 2)
	first.Producer, first.Sequence, second.Producer, second.Sequence = 5, 0, 5, 1
	tests := []struct {
		name    string
		history History
		want    string
	}{
		{"clean", History{Sends: []*Send{acked(1, 2, 0, 1, 2), acked(3, 4, 2, 3)},
			Polls: []*Poll{poll(5, 6, 0, 3, Seen{Offset: 0, Value: 1}, Seen{Offset: 1, Value: 2}), poll(7, 8, 2, 3, Seen{Offset: 2, Value: 3})}}, ""},
		{"unknown outcome read", History{Sends: []*Send{unknown}, Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 9})}}, ""},
		{"repeats are allowed without idempotence", History{Sends: []*Send{repeating},
			Polls: []*Poll{poll(5, 6, 0, 2, Seen{Offset: 0, Value: 6}, Seen{Offset: 1, Value: 6})}}, ""},
		{"a poll misses an offset", History{Sends: []*Send{acked(1, 2, 0, 1, 2)}, Polls: []*Poll{poll(5, 6, 0, 2, Seen{Offset: 1, Value: 2})}}, "poll-skip"},
		{"above the watermark", History{Sends: []*Send{acked(1, 2, 0, 1)}, Polls: []*Poll{poll(5, 6, 0, 0, Seen{Offset: 0, Value: 1})}}, "uncommitted-read"},
		{"nobody sent it", History{Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 77})}}, "invented"},
		{"another partition's", History{Sends: []*Send{elsewhere}, Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 7})}}, "misplaced"},
		{"its send failed", History{Sends: []*Send{failed}, Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 8})}}, "aborted-read"},
		{"two values at an offset", History{Sends: []*Send{acked(1, 2, 0, 1), unknown}, Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 9})}}, "inconsistent-offsets"},
		{"a value twice", History{Sends: []*Send{unknown}, Polls: []*Poll{poll(5, 6, 0, 2, Seen{Offset: 0, Value: 9}, Seen{Offset: 1, Value: 9})}}, "duplicate"},
		{"sequences swapped", History{Sends: []*Send{first, second}}, "nonmonotonic-send"},
		{"a later send before an earlier one", History{Sends: []*Send{acked(1, 2, 1, 1), acked(3, 4, 0, 2)}}, "order"},
		{"read past an acknowledged value", History{Sends: []*Send{acked(1, 2, 0, 1), acked(1, 2, 1, 2)},
			Polls: []*Poll{{Partition: somewhere, Invoked: 5, Completed: 6, Offset: 0, LogStart: 1, HighWatermark: 2, Records: []Seen{{Offset: 1, Value: 2}}}}}, "lost-write"},
		{"never found again", History{Sends: []*Send{acked(1, 2, 0, 1)}, Polls: []*Poll{poll(1, 2, 0, 0)}}, "unseen"},
		{"the end went back", History{Sends: []*Send{acked(1, 2, 0, 1)}, Lists: []*List{{Partition: somewhere, Invoked: 3, Completed: 4, Latest: 0}},
			Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 1})}}, "watermark-fell"},
		{"a leader told less than it had told somebody else", History{Polls: []*Poll{weak(0, 1, 2, 3, 5), weak(1, 3, 4, 3, 4)}}, "watermark-fell"},
		{"a leader that was deposed told less", History{Polls: []*Poll{weak(0, 1, 2, 4, 5), weak(1, 3, 4, 3, 4)}}, ""},
		{"a leader begins with less than the one before told, however late", History{Polls: []*Poll{weak(0, 1, 2, 4, 4), weak(1, 3, 4, 3, 5)}}, "watermark-fell"},
		{"what is proposed promises nothing", History{Sends: []*Send{acked(1, 2, 0, 1)}, Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 1})},
			Lists: []*List{{Partition: somewhere, Invoked: 3, Completed: 4, Latest: 7, Proposed: true}}}, ""},
		{"what is proposed counts what is acknowledged", History{Sends: []*Send{acked(1, 2, 0, 1)}, Polls: []*Poll{poll(5, 6, 0, 1, Seen{Offset: 0, Value: 1})},
			Lists: []*List{{Partition: somewhere, Invoked: 3, Completed: 4, Latest: 0, Proposed: true}}}, "watermark-fell"},
		{"the start went back", History{Lists: []*List{{Partition: somewhere, Invoked: 1, Completed: 2, Earliest: 3, Latest: 5},
			{Partition: somewhere, Invoked: 3, Completed: 4, Earliest: 2, Latest: 5}}}, "log-start-fell"},
		{"a time: the first batch that young", timed(Search{At: 20, Offset: 1, Newest: 20, HighWatermark: 2}), ""},
		{"a time: something older was found", timed(Search{At: 15, Offset: 0, Newest: 10, HighWatermark: 2}), "wrong-time"},
		{"a time: something before is that young", timed(Search{At: 10, Offset: 1, Newest: 20, HighWatermark: 2}), "wrong-time"},
		{"a time: not the batch's", timed(Search{At: 15, Offset: 1, Newest: 21, HighWatermark: 2}), "wrong-time"},
		{"a time: nothing that young, and there is", timed(Search{At: 20, Offset: 2, Newest: -1, HighWatermark: 2}), "wrong-time"},
		{"a time: nothing that young yet", timed(Search{At: 20, Offset: 1, Newest: -1, HighWatermark: 1}), ""},
		{"what was deleted is not missed", History{Sends: []*Send{acked(1, 2, 0, 1), acked(1, 2, 1, 2)}, Trims: []*Trim{trim(3, 4, 1, 1)},
			Polls: []*Poll{begins(5, 6, 1, 2, Seen{Offset: 1, Value: 2})}}, ""},
		{"nor what may have been", History{Sends: []*Send{acked(1, 2, 0, 1), acked(1, 2, 1, 2)}, Trims: []*Trim{trim(3, never, 1, 0)},
			Polls: []*Poll{begins(5, 6, 1, 2, Seen{Offset: 1, Value: 2})}}, ""},
		{"more was deleted", History{Sends: []*Send{acked(1, 2, 0, 1), acked(1, 2, 1, 2)}, Trims: []*Trim{trim(3, 4, 1, 1)},
			Polls: []*Poll{begins(5, 6, 2, 2)}}, "lost-write"},
		{"more was deleted, never seen", History{Trims: []*Trim{trim(3, 4, 1, 1)}, Polls: []*Poll{begins(5, 6, 2, 2)}}, "deleted-unasked"},
		{"an end that fits no order", History{Sends: []*Send{acked(1, 4, 0, 1), acked(1, 6, 1, 2)},
			Lists: []*List{{Partition: somewhere, Invoked: 2, Completed: 3, Latest: 2, Exact: true}, {Partition: somewhere, Invoked: 2, Completed: 5, Latest: 0, Exact: true},
				{Partition: somewhere, Client: 1, Invoked: 4, Completed: 5, Latest: 1, Exact: true}},
			Polls: []*Poll{poll(7, 8, 0, 2, Seen{Offset: 0, Value: 1}, Seen{Offset: 1, Value: 2})}}, "watermark-fell"},
		{"an end ahead of its append", History{Sends: []*Send{acked(3, 4, 0, 1)}, Polls: []*Poll{poll(7, 8, 0, 1, Seen{Offset: 0, Value: 1})},
			Lists: []*List{{Partition: somewhere, Invoked: 1, Completed: 2, Latest: 1, Exact: true}}}, "not-linearizable"},
		{"an end that passes what nobody knows of", History{Sends: []*Send{acked(3, 4, 5, 1)}, Trims: []*Trim{trim(1, 2, 5, 5)}, Polls: []*Poll{begins(7, 8, 5, 6, Seen{Offset: 5, Value: 1})},
			Lists: []*List{{Partition: somewhere, Invoked: 1, Completed: 2, Earliest: 5, Latest: 5, Exact: true}}}, ""},
		{"less was deleted", History{Trims: []*Trim{trim(3, 4, 2, 1)}}, "not-deleted"},
		{"what was deleted came back", History{Trims: []*Trim{trim(3, 4, 2, 2)}, Polls: []*Poll{begins(5, 6, 1, 2)}}, "log-start-fell"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if v := NewOracle(&test.history, nil).Judge(true); v != nil {
				got = v.Invariant
				t.Log(v)
			}
			if got != test.want {
				t.Errorf("judged %q, want %q", got, test.want)
			}
		})
	}
}

func TestOracleForgivesDeletedPartitions(t *testing.T) {
	h := History{Sends: []*Send{acked(1, 2, 0, 1)}}
	if v := NewOracle(&h, map[id.Partition]bool{somewhere: true}).Judge(true); v != nil {
		t.Errorf("what a deleted topic held is missed: %v", v)
	}
}
