package protocol

import "troupe/partitions/id"

// DismissNodeRequest asks for a broker without replicas to leave the cluster for ever.
type DismissNodeRequest struct {
	Node id.Node
}

// DismissNodeResponse answers once the catalog has it.
type DismissNodeResponse struct{}

// API returns APIDismissNode.
func (*DismissNodeRequest) API() API { return APIDismissNode }

// API returns APIDismissNode.
func (*DismissNodeResponse) API() API { return APIDismissNode }

func (m *DismissNodeRequest) encode(w *writer) {
	w.fields(1)
	w.putNode("node", m.Node)
}

func (m *DismissNodeRequest) decode(r *reader) {
	*m = DismissNodeRequest{}
	named := false
	r.fields(func(key string) bool {
		if key != "node" {
			return false
		}
		m.Node, named = r.node(), true
		return true
	})
	r.need(named, "node")
}

func (*DismissNodeResponse) encode(w *writer) { w.fields(0) }

func (*DismissNodeResponse) decode(r *reader) { r.fields(func(string) bool { return false }) }
