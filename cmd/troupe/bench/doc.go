// Package bench measures a broker from outside, through the client library, in the way its figures can be believed.
//
// Load is open loop: a record is due at a time that the rate alone decides, whether or not the broker keeps up, and its
// latency counts from that time. A broker that stalls for a second therefore shows that second in every record that was due
// in it, where a loop that waits for answers would show one slow record ("coordinated omission", Gil Tene).
//
// What holds:
//   - The warm-up is a run of its own, flushed before the measured one begins: nothing of it is in any figure.
//   - Rates are all records of the measured run over the time from its beginning to its last answer: queues that are filled
//     and never drained cannot raise them.
//   - Nothing is allocated for a record, and no lock is taken, beyond what the client library does.
//
// Latencies are kept in HdrHistograms (http://hdrhistogram.org), one for each partition because callbacks of one partition
// come one at a time, merged at the end.
//
// Start reading at load.go for what can be asked, produce.go and generator.go for how it is done, report.go for what is told.
package bench
