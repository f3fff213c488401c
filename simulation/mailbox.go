package simulation

import (
	"reflect"

	"github.com/asynkron/protoactor-go/actor"
)

// Dispatcher runs the mailboxes of one life on the scheduler. It is a protoactor Dispatcher.
type Dispatcher struct {
	scheduler *Scheduler
	life      *Life
}

// Schedule queues a step.
func (d Dispatcher) Schedule(run func()) { d.scheduler.Ready(d.life, run) }

// Throughput is how many messages a mailbox takes at once: one, so that any other step may come between two.
func (d Dispatcher) Throughput() int { return 1 }

// Mailbox is a protoactor mailbox that takes one message per step. System messages come first, and a suspended mailbox
// takes nothing else, as in protoactor's own.
type Mailbox struct {
	trace        *Trace
	user, system []any
	scheduled    bool
	suspended    bool
	invoker      actor.MessageInvoker
	dispatcher   actor.Dispatcher
}

// PostUserMessage queues a message. A batch arrives as its parts and then itself, as in protoactor's own mailbox.
func (m *Mailbox) PostUserMessage(message any) {
	inner := message
	if e, ok := message.(*actor.MessageEnvelope); ok {
		inner = e.Message
	}
	if batch, ok := inner.(actor.MessageBatch); ok {
		for _, part := range batch.GetMessages() {
			m.PostUserMessage(part)
		}
	}
	m.user = append(m.user, message)
	m.schedule()
}

// PostSystemMessage queues one of protoactor's own messages.
func (m *Mailbox) PostSystemMessage(message any) {
	m.system = append(m.system, message)
	m.schedule()
}

// RegisterHandlers tells the mailbox who takes its messages and who runs it.
func (m *Mailbox) RegisterHandlers(invoker actor.MessageInvoker, dispatcher actor.Dispatcher) {
	m.invoker, m.dispatcher = invoker, dispatcher
}

// Start does nothing: a mailbox runs when it has a message.
func (m *Mailbox) Start() {}

// UserMessageCount is how many messages wait.
func (m *Mailbox) UserMessageCount() int { return len(m.user) }

func (m *Mailbox) schedule() {
	if !m.scheduled && (len(m.system) > 0 || !m.suspended && len(m.user) > 0) {
		m.scheduled = true
		m.dispatcher.Schedule(m.run)
	}
}

func (m *Mailbox) run() {
	var message any
	defer func() {
		if reason := recover(); reason != nil {
			m.trace.panicked(reason)
			m.invoker.EscalateFailure(reason, message)
		}
		m.trace.handling, m.scheduled = "", false
		m.schedule()
	}()
	switch {
	case len(m.system) > 0:
		message, m.system = m.system[0], m.system[1:]
		m.note(message)
		switch message.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			m.invoker.InvokeSystemMessage(message)
		}
	case !m.suspended && len(m.user) > 0:
		message, m.user = m.user[0], m.user[1:]
		m.note(message)
		m.invoker.InvokeUserMessage(message)
	}
}

// note adds a message's type and how much waits behind it to the hash.
func (m *Mailbox) note(message any) {
	if e, ok := message.(*actor.MessageEnvelope); ok {
		message = e.Message
	}
	m.trace.handling = reflect.TypeOf(message).String()
	m.trace.mixString(m.trace.handling)
	m.trace.mix(uint64(len(m.system))<<32 | uint64(len(m.user)))
}
