package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
)

// progress counts work and shows it while it lasts: rewriting one line on a terminal, in a line now and then elsewhere.
type progress struct {
	out   io.Writer
	began time.Time
	live  bool

	mu      sync.Mutex
	records int64
	bytes   int64
	shown   time.Time
}

// The time between two updates of the line on a terminal, and between two lines elsewhere.
const (
	progressInterval = 200 * time.Millisecond
	plainInterval    = 10 * time.Second
)

func newProgress(out io.Writer) *progress {
	now := time.Now()
	return &progress{out: out, began: now, shown: now, live: isTerminal(out)}
}

// add counts records and their bytes.
func (p *progress) add(records, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records += records
	p.bytes += bytes
	now := time.Now()
	switch since := now.Sub(p.shown); {
	case p.live && since >= progressInterval:
		p.shown = now
		fmt.Fprintf(p.out, "\r\x1b[K%s", p.sentence(now.Sub(p.began)))
	case !p.live && since >= plainInterval:
		p.shown = now
		fmt.Fprintln(p.out, p.sentence(now.Sub(p.began)))
	}
}

// counted returns the sums so far.
func (p *progress) counted() (records, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records, p.bytes
}

// finish removes the line and returns the sum of the work.
func (p *progress) finish() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	return p.sentence(time.Since(p.began))
}

func (p *progress) sentence(d time.Duration) string { return rateText(p.records, p.bytes, d) }

// rateText tells how much was done, in what time, and how fast that is.
func rateText(records, bytes int64, d time.Duration) string {
	seconds := max(d.Seconds(), 1e-9)
	return fmt.Sprintf("%s, %s in %s: %s/s, %s/s", plural(records, "record"), bytesText(bytes), durationText(d),
		humanize.Comma(int64(float64(records)/seconds)), bytesText(int64(float64(bytes)/seconds)))
}

// durationText prints a time span with three digits at most.
func durationText(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	case d < 100*time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
