package protocol

import "troupe/partitions/id"

// DrainNodeRequest asks for a broker to take no more replicas, and for those it has to move to others; or, with On false, for
// the opposite. It is answered when that is decided; DescribeCluster tells how many replicas are left.
type DrainNodeRequest struct {
	Node id.Node
	On   bool
}

// DrainNodeResponse answers once the catalog has it.
type DrainNodeResponse struct{}

// API returns APIDrainNode.
func (*DrainNodeRequest) API() API { return APIDrainNode }

// API returns APIDrainNode.
func (*DrainNodeResponse) API() API { return APIDrainNode }

func (m *DrainNodeRequest) encode(w *writer) {
	w.fields(2)
	w.putNode("node", m.Node)
	w.putBool("on", m.On)
}

func (m *DrainNodeRequest) decode(r *reader) {
	*m = DrainNodeRequest{On: true}
	named := false
	r.fields(func(key string) bool {
		switch key {
		case "node":
			m.Node, named = r.node(), true
		case "on":
			m.On = r.bool()
		default:
			return false
		}
		return true
	})
	r.need(named, "node")
}

func (*DrainNodeResponse) encode(w *writer) { w.fields(0) }

func (*DrainNodeResponse) decode(r *reader) { r.fields(func(string) bool { return false }) }
