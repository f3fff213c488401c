package protocol

import "troupe/partitions/id"

// PlanMovesRequest asks what moves in the cluster, what will, and what is held back. Nothing is done for it.
type PlanMovesRequest struct{}

// PlanMovesResponse tells the plan as the broker asked sees it.
type PlanMovesResponse struct {
	Moving []PlannedMove // under way
	Next   []PlannedMove // what the cluster does by itself, in this order
	Held   []PlannedMove // for balance, while somebody is away who may come back
	Away   []id.Node     // who that is
}

// PlannedMove is a partition's way from some brokers to others, the preferred leader first.
type PlannedMove struct {
	Topic     string
	TopicID   id.TopicID
	Partition int32
	Assigned  id.Offset // the version of the assignment that it starts from or, under way, that it follows
	From      []id.Node // under way: where it was, as far as that can be told
	To        []id.Node
	Why       string // for people
}

// API returns APIPlanMoves.
func (*PlanMovesRequest) API() API { return APIPlanMoves }

// API returns APIPlanMoves.
func (*PlanMovesResponse) API() API { return APIPlanMoves }

func (*PlanMovesRequest) encode(w *writer) { w.fields(0) }

func (*PlanMovesRequest) decode(r *reader) { r.fields(func(string) bool { return false }) }

func (m *PlanMovesResponse) encode(w *writer) {
	w.fields(4)
	for _, list := range []struct {
		key   string
		moves []PlannedMove
	}{{"moving", m.Moving}, {"next", m.Next}, {"held", m.Held}} {
		w.putList(list.key, len(list.moves))
		for i := range list.moves {
			list.moves[i].encode(w)
		}
	}
	w.putNodes("away", m.Away)
}

func (m *PlanMovesResponse) decode(r *reader) {
	*m = PlanMovesResponse{}
	r.fields(func(key string) bool {
		switch key {
		case "moving":
			m.Moving = listOf[PlannedMove](r, maxAnswers)
		case "next":
			m.Next = listOf[PlannedMove](r, maxAnswers)
		case "held":
			m.Held = listOf[PlannedMove](r, maxAnswers)
		case "away":
			r.list(maxAnswers, func(int) { m.Away = append(m.Away, r.node()) })
		default:
			return false
		}
		return true
	})
}

func (m *PlannedMove) encode(w *writer) {
	w.fields(7)
	w.putStr("topic", m.Topic)
	w.putUint("topic_id", uint64(m.TopicID))
	w.putInt("partition", int64(m.Partition))
	w.putInt("assigned", int64(m.Assigned))
	w.putNodes("from", m.From)
	w.putNodes("to", m.To)
	w.putStr("why", m.Why)
}

func (m *PlannedMove) decode(r *reader) {
	*m = PlannedMove{Assigned: NoOffset}
	r.fields(func(key string) bool {
		switch key {
		case "topic":
			m.Topic = r.str()
		case "topic_id":
			m.TopicID = r.topicID()
		case "partition":
			m.Partition = r.partition()
		case "assigned":
			m.Assigned = r.offset()
		case "from":
			m.From = r.nodes()
		case "to":
			m.To = r.nodes()
		case "why":
			m.Why = r.str()
		default:
			return false
		}
		return true
	})
}
