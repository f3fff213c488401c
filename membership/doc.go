// Package membership knows who is in the cluster and who of them is alive, as one broker sees it at one moment. It never
// decides anything: a view nominates, a quorum elects, and two brokers' views may differ.
//
// Invariants: a View is immutable, sorted by node and numbered; a feed's views have rising versions.
//
// A cluster is a single broker so far; its feed is Single. Start reading at view.go.
package membership
