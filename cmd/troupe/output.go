package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"troupe/partitions/id"
)

// json prints one value for a program.
func (s *session) json(v any) error { return writeJSON(s.out, v) }

func writeJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// table prints rows for people, aligned, under a line of titles.
func (s *session) table(titles []string, rows [][]string) error {
	return writeTable(s.out, titles, rows)
}

func writeTable(out io.Writer, titles []string, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(titles, "\t"))
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// isTerminal tells whether somebody watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// plural counts things: 1 partition, 6 partitions.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return humanize.Comma(n) + " " + thing + "s"
}

// timeText prints a moment: 2006-01-02T15:04:05Z.
func timeText(t id.Timestamp) string { return time.UnixMilli(int64(t)).UTC().Format(time.RFC3339) }

// bytesText prints a size for people: 1.5 MiB.
func bytesText(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

// nodeText names a broker, or says that none is known.
func nodeText(n id.Node) string {
	if n == 0 {
		return "none"
	}
	return n.String()
}
