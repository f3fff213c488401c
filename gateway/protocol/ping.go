package protocol

import "troupe/partitions/id"

// PingRequest asks for nothing but an answer; it keeps a connection from being idle.
type PingRequest struct{}

// PingResponse answers a PingRequest.
type PingResponse struct {
	Now id.Timestamp // the broker's clock
}

// API returns APIPing.
func (*PingRequest) API() API { return APIPing }

// API returns APIPing.
func (*PingResponse) API() API { return APIPing }

func (m *PingRequest) encode(w *writer) { w.fields(0) }

func (m *PingRequest) decode(r *reader) { r.fields(func(string) bool { return false }) }

func (m *PingResponse) encode(w *writer) {
	w.fields(1)
	w.putInt("now", int64(m.Now))
}

func (m *PingResponse) decode(r *reader) {
	*m = PingResponse{Now: NoTimestamp}
	r.fields(func(key string) bool {
		switch key {
		case "now":
			m.Now = r.timestamp()
		default:
			return false
		}
		return true
	})
}
