// Package metrics keeps count of what one broker does, for Prometheus. The rooms tell it through the meters they define
// (actors.Meter, gateway.Meter) and answer it when it observes them; it changes nothing.
//
// What holds:
//   - Names are troupe_<room>_<thing>_<unit>, in seconds and bytes. METRICS.md lists every one; a test holds the page to the
//     registry.
//   - What is counted on a hot path costs a few atomic additions for each batch, request or fsync, never for each record.
//     Whatever needs a look at every partition is asked for when somebody scrapes.
//   - The number of series is bounded: labels are roles, APIs, error codes (all fixed lists) and, for three gauges only, the
//     first Series partitions.
//   - The registry is its own: what a library registers globally does not appear.
//
// Start reading at metrics.go.
package metrics
