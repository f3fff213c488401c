package bench

// Result is what one run came to.
type Result struct {
	Kind       string  `json:"kind"` // produce, consume, end-to-end
	Note       string  `json:"note,omitempty"`
	Topic      string  `json:"topic"`
	Partitions int32   `json:"partitions"`
	Offered    float64 `json:"offered_per_second"` // records; 0: as fast as possible
	Achieved   float64 `json:"achieved_per_second"`
	Megabytes  float64 `json:"megabytes_per_second"` // 10^6 bytes of keys and values
	Records    int64   `json:"records"`              // acknowledged, or read
	Bytes      int64   `json:"bytes"`                // of their keys and values
	Seconds    float64 `json:"seconds"`
	Errors     int64   `json:"errors"`
	FirstError string  `json:"first_error,omitempty"`
	// Produce counts from the time a record was due to its acknowledgement, EndToEnd to its arrival in a reader.
	Produce  *Latency `json:"produce_latency,omitempty"`
	EndToEnd *Latency `json:"end_to_end_latency,omitempty"`
	// Late tells how far behind its schedule the load generator was when it woke up to send: its own part of the latencies.
	Late *Latency `json:"generator_late,omitempty"`
}

// resultOf describes a run of generators.
func resultOf(kind string, s *scene, o outcome) *Result {
	l := s.load
	acknowledged := o.latency.TotalCount()
	latency := Summarize(o.latency)
	r := &Result{
		Kind: kind, Topic: s.topic, Partitions: l.Partitions, Offered: l.Rate, Errors: o.failed, Produce: &latency,
	}
	r.measure(acknowledged, acknowledged*l.bytesEach(kind == endToEnd), o.took.Seconds())
	if l.Rate > 0 {
		late := Summarize(o.late)
		r.Late = &late
	}
	if o.first != nil {
		r.FirstError = o.first.Error()
	}
	return r
}

// measure fills in the rates.
func (r *Result) measure(records, bytes int64, seconds float64) {
	r.Records, r.Bytes, r.Seconds = records, bytes, seconds
	r.Achieved = float64(records) / max(seconds, 1e-9)
	r.Megabytes = float64(bytes) / max(seconds, 1e-9) / 1e6
}

// bytesEach is the size of one record's key and value.
func (l *Load) bytesEach(stamped bool) int64 {
	n := l.RecordBytes
	if stamped {
		n = max(n, stampBytes)
	}
	if l.Keys > 0 {
		n += len(NewPayload(0, false, 1).keys[0])
	}
	return int64(n)
}
