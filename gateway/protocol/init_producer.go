package protocol

import "troupe/partitions/id"

// InitProducerRequest asks for an id under which a producer's repeated sends are recognised.
type InitProducerRequest struct{}

// InitProducerResponse gives a producer id that nobody has had before.
type InitProducerResponse struct {
	Producer id.Producer
	Epoch    int16
}

// API returns APIInitProducer.
func (*InitProducerRequest) API() API { return APIInitProducer }

// API returns APIInitProducer.
func (*InitProducerResponse) API() API { return APIInitProducer }

func (m *InitProducerRequest) encode(w *writer) { w.fields(0) }

func (m *InitProducerRequest) decode(r *reader) { r.fields(func(string) bool { return false }) }

func (m *InitProducerResponse) encode(w *writer) {
	w.fields(2)
	w.putInt("producer", int64(m.Producer))
	w.putInt("epoch", int64(m.Epoch))
}

func (m *InitProducerResponse) decode(r *reader) {
	*m = InitProducerResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "producer":
			m.Producer = id.Producer(r.int(0, maxInt64))
		case "epoch":
			m.Epoch = int16(r.int(0, 1<<15-1))
		default:
			return false
		}
		return true
	})
}
