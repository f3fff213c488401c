package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// writeTable prints all outcomes beside the first, which is ours: a ratio says how many times as fast Troupe is.
func writeTable(w io.Writer, outcomes []outcome, rate float64) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "SYSTEM\tSETTINGS\tDURABLE\tPRODUCED/s\tOURS/THEIRS\tCONSUMED/s\tOURS/THEIRS\tAT %.0f/s\tp50 ms\tp99 ms\n", rate)
	ours := outcomes[0]
	for _, o := range outcomes {
		durable := "no"
		if o.Durable {
			durable = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.System, o.Settings, durable, figure(o.Produce, 0),
			ratio(ours.Produce, o.Produce), figure(o.Consume, 0), ratio(ours.Consume, o.Consume), figure(o.Achieved, 0),
			figure(o.P50, 2), figure(o.P99, 2))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Problem != "" {
			fmt.Fprintf(w, "%s, %s: %s\n", o.System, o.Settings, o.Problem)
		}
	}
	return nil
}

// figure prints a number; what was not measured is a dash.
func figure(v float64, digits int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

func ratio(ours, theirs float64) string {
	switch {
	case ours == 0 || theirs == 0:
		return "-"
	case ours/theirs >= 20:
		return fmt.Sprintf("%.0f", ours/theirs)
	}
	return fmt.Sprintf("%.2f", ours/theirs)
}
