package main

import "fmt"

// ledger keeps the books of one producer's records, numbered from 0: which were acknowledged, how often each was read back,
// and whether they came in order. It is for one goroutine at a time.
type ledger struct {
	acknowledged []bool
	failed       int
	reads        []uint8
	newest       map[string]int // by key: the highest number read
	disordered   int            // read after a higher number of the same key
	foreign      int            // read, but never sent, or not with these bytes
}

func newLedger() *ledger { return &ledger{newest: map[string]int{}} }

// send opens the next record's account and returns its number.
func (l *ledger) send() int {
	l.acknowledged = append(l.acknowledged, false)
	l.reads = append(l.reads, 0)
	return len(l.acknowledged) - 1
}

// answer notes what became of a record.
func (l *ledger) answer(number int, err error) {
	if err != nil {
		l.failed++
		return
	}
	l.acknowledged[number] = true
}

// read notes a record that came back; genuine tells that it has the bytes that were sent.
func (l *ledger) read(key string, number int, genuine bool) {
	if !genuine || number < 0 || number >= len(l.reads) {
		l.foreign++
		return
	}
	if l.reads[number] < 255 {
		l.reads[number]++
	}
	if last, seen := l.newest[key]; seen && number < last {
		l.disordered++
	} else {
		l.newest[key] = number
	}
}

// verdict sums the books up.
type verdict struct {
	sent, acknowledged, failed, read int
	lost                             int // acknowledged and not read
	duplicated                       int // read more than once
	disordered, foreign, keys        int
}

func (l *ledger) verdict() verdict {
	v := verdict{sent: len(l.reads), failed: l.failed, disordered: l.disordered, foreign: l.foreign, keys: len(l.newest)}
	for number, reads := range l.reads {
		v.read += int(reads)
		if l.acknowledged[number] {
			v.acknowledged++
			if reads == 0 {
				v.lost++
			}
		}
		if reads > 1 {
			v.duplicated++
		}
	}
	return v
}

// err returns an error that names what is wrong, or nil: nothing lost, doubled, out of order or foreign. A record that was
// never acknowledged may be there or not.
func (v verdict) err() error {
	if v.lost+v.duplicated+v.disordered+v.foreign == 0 {
		return nil
	}
	return fmt.Errorf("of %d acknowledged records %d are lost, %d came twice, %d out of order, %d as nobody sent them",
		v.acknowledged, v.lost, v.duplicated, v.disordered, v.foreign)
}
