package bench

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// Report is everything there is to tell of one command: what was asked, of what machine, and what came of it.
type Report struct {
	Version     string      `json:"version"`
	Environment Environment `json:"environment"`
	Load        Load        `json:"load"`
	Results     []*Result   `json:"results"`
	// Found is the rate that FindRate found, with the bound it looked for.
	Found *Found `json:"found,omitempty"`
	// MedianFsyncs is the median produce latency of the first result as a multiple of the measured fsync.
	MedianFsyncs float64 `json:"median_in_fsyncs,omitempty"`
}

// Found is the outcome of a search.
type Found struct {
	BoundMS float64 `json:"p99_bound_ms"`
	Rate    float64 `json:"rate_per_second"` // 0: no rate that was tried stays below the bound
}

// Finish fills in what follows from the rest.
func (r *Report) Finish() {
	fsync := r.Environment.Fsync
	if len(r.Results) > 0 && r.Results[0].Produce != nil && fsync != nil && fsync.MedianMS > 0 {
		r.MedianFsyncs = r.Results[0].Produce.P50 / fsync.MedianMS
	}
}

// WriteHead prints for people where and how it was measured.
func (r *Report) WriteHead(w io.Writer) {
	e, l := &r.Environment, &r.Load
	fmt.Fprintf(w, "machine   %s, %s, kernel %s, %s, load average %.1f\n", e.CPU, count(int64(e.Cores), "core"), e.Kernel, e.Go, e.LoadAverage)
	if e.Fsync != nil {
		fmt.Fprintf(w, "fsync     median %.3f ms, p99 %.3f ms, appends of %d bytes in %s\n", e.Fsync.MedianMS, e.Fsync.P99MS, probeBytes,
			e.Fsync.Directory)
	}
	if e.Filesystem != "" {
		fmt.Fprintf(w, "data      %s on %s\n", e.FilesystemOf, e.Filesystem)
	}
	payload := "zero"
	if l.Random {
		payload = "random"
	}
	keys := "no keys"
	if l.Keys > 0 {
		keys = count(int64(l.Keys), "key")
	}
	fmt.Fprintf(w, "records   %d bytes, %s, %s, compression %s\n", l.RecordBytes, payload, keys, l.Compression)
	fmt.Fprintf(w, "client    %s, acks %s, batches of %s, linger %v; warm-up %v\n\n", count(int64(l.Clients), "connection"), l.Acks,
		humanize.IBytes(uint64(l.BatchBytes)), l.Linger, l.Warmup)
}

// row is where a result's line stands in the table, however wide.
const row = "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n"

// WriteResults prints for people what came out, a line for each result and kind of latency.
func (r *Report) WriteResults(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "partitions\toffered/s\tachieved/s\tMB/s\terrors\tp50 ms\tp90\tp99\tp99.9\tp99.99\tmax\t \n")
	for _, one := range r.Results {
		offered := "max"
		if one.Offered > 0 {
			offered = humanize.Comma(int64(one.Offered))
		}
		if one.Kind == consume {
			offered = "-"
		}
		fmt.Fprintf(t, row, fmt.Sprint(one.Partitions), offered, humanize.Comma(int64(one.Achieved)), fmt.Sprintf("%.1f", one.Megabytes),
			humanize.Comma(one.Errors), ms(one.Produce, p50), ms(one.Produce, p90), ms(one.Produce, p99), ms(one.Produce, p999),
			ms(one.Produce, p9999), ms(one.Produce, most), "  "+one.Kind+note(one.Note))
		if e := one.EndToEnd; e != nil {
			fmt.Fprintf(t, row, "", "", "", "", "", ms(e, p50), ms(e, p90), ms(e, p99), ms(e, p999), ms(e, p9999), ms(e, most), "  to the reader")
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r.writeRest(w)
	return nil
}

func (r *Report) writeRest(w io.Writer) {
	for _, one := range r.Results {
		if one.FirstError != "" {
			fmt.Fprintf(w, "first of %s: %s\n", count(one.Errors, "error"), one.FirstError)
		}
	}
	if len(r.Results) > 0 && r.Results[0].Late != nil {
		late := r.Results[0].Late
		fmt.Fprintf(w, "the load generator woke up %.3f ms late in the median, p99 %.3f ms\n", late.P50, late.P99)
	}
	if r.MedianFsyncs > 0 && r.Results[0].Offered > 0 {
		fmt.Fprintf(w, "the median produce latency is %.1f fsyncs\n", r.MedianFsyncs)
	}
	if f := r.Found; f != nil {
		fmt.Fprintf(w, "highest rate tried with p99 at most %g ms: %s records/s\n", f.BoundMS, humanize.Comma(int64(f.Rate)))
	}
}

func p50(l *Latency) float64   { return l.P50 }
func p90(l *Latency) float64   { return l.P90 }
func p99(l *Latency) float64   { return l.P99 }
func p999(l *Latency) float64  { return l.P999 }
func p9999(l *Latency) float64 { return l.P9999 }
func most(l *Latency) float64  { return l.Max }

// ms prints one percentile with three digits or so.
func ms(l *Latency, pick func(*Latency) float64) string {
	switch {
	case l == nil:
		return "-"
	case pick(l) < 10:
		return fmt.Sprintf("%.2f", pick(l))
	}
	return fmt.Sprintf("%.0f", pick(l))
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// count prints a number of things.
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return humanize.Comma(n) + " " + thing + "s"
}
