package bench

import (
	"math"
	"time"
)

// Schedule says when each record is due, counted from the beginning of the run: record i at i/Rate. Nothing that happens
// during the run changes it.
type Schedule struct {
	Rate     float64       // records per second; 0: every record is due from the beginning
	Records  int64         // ends the schedule; 0: Duration does
	Duration time.Duration // ends the schedule if Records is 0
}

// At tells when record i is due.
func (s Schedule) At(i int64) time.Duration {
	if s.Rate <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(float64(i) / s.Rate * float64(time.Second)))
}

// Due tells how many records are due once so much time has passed, those of the whole schedule at most.
func (s Schedule) Due(elapsed time.Duration) int64 {
	if s.Rate <= 0 {
		return s.most()
	}
	return min(s.most(), s.before(elapsed+1))
}

// Ended tells whether nothing is left to send after so many records and so much time.
func (s Schedule) Ended(sent int64, elapsed time.Duration) bool {
	return sent >= s.most() || s.Records == 0 && s.Rate <= 0 && elapsed >= s.Duration
}

// most is the number of records of the schedule; without end if time alone ends it.
func (s Schedule) most() int64 {
	switch {
	case s.Records > 0:
		return s.Records
	case s.Rate > 0:
		return s.before(s.Duration)
	}
	return math.MaxInt64
}

// before counts the records due before a time. The product is only near: At decides.
func (s Schedule) before(t time.Duration) int64 {
	n := max(0, int64(t.Seconds()*s.Rate))
	for n > 0 && s.At(n-1) >= t {
		n--
	}
	for s.At(n) < t {
		n++
	}
	return n
}
