package remote

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// More of what a peer is refused for, or not reached.
var (
	errPlain     = errors.New("not encrypted")
	errCrowd     = errors.New("too many")
	errForeign   = errors.New("not permitted on a link")
	errContested = errors.New("not the start that gossip shows")
	errImpostor  = errors.New("another name than its certificate")
	errMet       = errors.New("another broker than the one meant")
	errReplaced  = errors.New("replaced by a newer link")
	errWithdrawn = errors.New("its secret was withdrawn")
	errSilent    = errors.New("no answer in time")
	errDisowned  = errors.New("the other broker has met a later start of this one, or another")
	errRefused   = errors.New("refused by the other broker")
	errBroken    = errors.New("link broken")
)

// nextSteps are what an operator can do about each, and the word that the log tells it by. The first that an error unwraps to
// counts.
var nextSteps = []struct {
	err         error
	cause, next string
}{
	{errWithdrawn, "withdrawn secret", "the link begins anew; if it does not, give that broker the --secret-file of the others"},
	{errStranger, "wrong secret", "give that broker the --secret-file of the others, and check that clocks agree; if it is none of yours, keep it off this port"},
	{errPlain, "no encryption", "give all brokers the same --secret-file; if the peer is no broker, keep it off this port"},
	{errTwin, "copied directory", "stop one of the two: a data directory was copied or restored from a backup; start the other broker over an empty directory, with --join"},
	{errContested, "not this start", "this passes when the node's earlier start is known to be dead; if its data directory was copied, stop the copy and start it over an empty one, with --join"},
	{errCluster, "another cluster", "a broker belongs to one cluster for ever: correct --join, or start it over an empty directory"},
	{errEpoch, "another epoch", "the cluster's catalog was recovered: stop the broker of the lower epoch, and have its data directory follow with `troupe cluster adopt`"},
	{errVersion, "incompatible version", "upgrade one broker at a time, and skip no version; `troupe cluster status` shows versions"},
	{errHandshake, "no handshake", "if the peer is no broker, keep it off this port"},
	{errImpostor, "false name", "give each broker its own certificate; if the peer is none of yours, change the secret"},
	{errMet, "another broker met", "give each broker its own peer address; this passes by itself when a broker has just moved"},
	{errForeign, "foreign message", "if the peer is a broker of this version, report it; otherwise keep it off this port"},
	{errCrowd, "too many", "if the peers are no brokers, keep them off this port"},
	{errDisowned, "copied directory", "this broker's data directory is a copy, or older than the last it had: give it the newest it had, or an empty one, with --join"},
	{errRefused, "refused", "the log of the other broker has the next step"},
	{errSilent, "no answer", "check that the broker is alive, and that its peer port can be reached from here"},
	{errBroken, "not reached", "check that the broker is alive, and that its peer port can be reached from here"},
}

const (
	// complainEvery is the least time between two lines of the log about one cause and peer: whoever tries in a loop must
	// not fill the disk.
	complainEvery  = time.Minute
	mostComplaints = 256
)

// refusals tells the log what was refused and what to do about it, once per cause and peer, and then now and then.
type refusals struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	tales map[tale]*telling
}

// tale is what lines of the log have in common.
type tale struct{ cause, peer string }

type telling struct {
	last   time.Time
	untold int
}

// tell logs err about a peer, unless it was told just before. A replaced link is nobody's trouble.
func (r *refusals) tell(what, peer string, err error) {
	if errors.Is(err, errReplaced) {
		return
	}
	cause, next := "other", "see the error"
	for _, s := range nextSteps {
		if errors.Is(err, s.err) {
			cause, next = s.cause, s.next
			break
		}
	}
	if times, due := r.due(tale{cause, peer}); due {
		r.log.Warn(what, "peer", peer, "cause", cause, "error", err, "times", times, "next", next)
	}
}

// linked logs that a link has come up, as often as a refusal: it may come and go.
func (r *refusals) linked(peer string) {
	if times, due := r.due(tale{"linked", peer}); due {
		r.log.Info("linked to a broker", "peer", peer, "times", times)
	}
}

// due tells whether a line is to be logged, and for how many occasions it stands.
func (r *refusals) due(t tale) (times int, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.tales[t] == nil && len(r.tales) >= mostComplaints {
		for other, told := range r.tales {
			if now.Sub(told.last) >= complainEvery {
				delete(r.tales, other)
			}
		}
	}
	if r.tales[t] == nil && len(r.tales) >= mostComplaints {
		t.peer = "" // one line for all the others
	}
	told := r.tales[t]
	if told == nil {
		told = &telling{last: now.Add(-complainEvery)}
		r.tales[t] = told
	}
	told.untold++
	if now.Sub(told.last) < complainEvery {
		return 0, false
	}
	times, told.untold, told.last = told.untold, 0, now
	return times, true
}
