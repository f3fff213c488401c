// Package troupetest runs a broker inside a test: the real one, with its log on a disk of the test's own, in one call and
// without a port to choose.
//
//	func TestOrders(t *testing.T) {
//		broker := troupetest.Start(t, troupetest.WithTopic("orders", 3))
//		c := broker.Client(t)
//		…
//	}
//
// StartCluster starts several that replicate to each other; Kill and Start try what fail-over does to a program.
//
// It joins the rooms as cmd/troupe does, and adds nothing to them. Start reading at broker.go.
package troupetest
