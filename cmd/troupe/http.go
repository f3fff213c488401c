package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"syscall"
	"time"

	"troupe/actors"
	"troupe/cmd/troupe/config"
	"troupe/cmd/troupe/metrics"
	"troupe/gateway"
	"troupe/membership"
)

// lookout is where operators and their machines look at a broker over HTTP. It serves from before the broker opens its data
// until after it closed it, so that what takes long can be seen while it lasts.
type lookout struct {
	address string // where it listens; "" when it is turned off
	metrics *metrics.Metrics
	server  *http.Server
	node    atomic.Pointer[actors.Node] // nil before the broker has its data open
	waiting atomic.Pointer[string]      // why the broker takes no traffic; nil while it does
}

// headerTime bounds how long a request's head may take: whoever is slower holds a connection for nothing.
const headerTime = 10 * time.Second

// openLookout opens the port and serves it beside its caller. An empty address makes a lookout that is turned off.
func openLookout(ctx context.Context, c config.HTTP, log *slog.Logger) (*lookout, error) {
	l := &lookout{metrics: metrics.New(version(), c.PartitionSeries)}
	l.wait("the broker opens its data")
	if c.Address == "" {
		return l, nil
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, usagef("--http %q is no address; write it as HOST:PORT", c.Address)
	}
	if c.Pprof && !isLoopback(host) {
		return nil, usagef("--pprof shows the process's memory, and --http %s can be reached from other machines; listen on 127.0.0.1 "+
			"and come through a tunnel", c.Address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Address)
	if err != nil {
		return nil, cannotListen("http", c.Address, err)
	}
	l.address = listener.Addr().String()
	l.server = &http.Server{Handler: l.routes(c.Pprof), ReadHeaderTimeout: headerTime,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() {
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics and health are no longer served; restart the broker to have them back", "http", l.address, "error", err)
		}
	}()
	return l, nil
}

// cannotListen tells what to do about a port that cannot be had.
func cannotListen(flag, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && flag == "http":
		return fmt.Errorf("--http %s is taken, perhaps by another broker; choose another address, or none with --http ''", address)
	case errors.Is(err, syscall.EADDRINUSE) && flag != "gateway":
		return fmt.Errorf("--%s %s is taken, perhaps by another broker; choose another address", flag, address)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--%s %s is taken, perhaps by another broker; ask it with `troupe cluster status --broker %s`, or choose "+
			"another address", flag, address, address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("--%s %s: this user may not listen there; choose a port above 1023", flag, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("--%s %s: this machine does not have that address; choose one of its own", flag, address)
	}
	return fmt.Errorf("--%s %s: %w", flag, address, err)
}

func (l *lookout) routes(profiles bool) http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", l.index)
	routes.Handle("GET /metrics", l.metrics.Handler())
	routes.HandleFunc("GET /healthz", l.alive)
	routes.HandleFunc("GET /readyz", l.ready)
	routes.HandleFunc("GET /cluster", l.cluster)
	if profiles {
		routes.HandleFunc("GET /debug/pprof/", pprof.Index)
		routes.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		routes.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		routes.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		routes.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return routes
}

// watch has the lookout ask a broker's partitions, and whom it sees, from now on.
func (l *lookout) watch(node *actors.Node, members membership.Feed) {
	l.node.Store(node)
	l.metrics.Watch(node, members)
}

// wait notes why the broker takes no traffic; "" for nothing.
func (l *lookout) wait(reason string) {
	if reason == "" {
		l.waiting.Store(nil)
		return
	}
	l.waiting.Store(&reason)
}

func (l *lookout) index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "/metrics  for Prometheus\n/healthz  is the broker alive\n/readyz   may it be sent traffic\n/cluster  how is the cluster, seen from here")
}

// alive answers as long as the process does.
func (l *lookout) alive(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"alive": true})
}

// readiness is what /readyz answers.
type readiness struct {
	Ready    bool     `json:"ready"`
	Reasons  []string `json:"reasons"`  // why not
	Problems []string `json:"problems"` // what does not serve; the rest of the broker may
}

// ready tells whether clients may be sent here: every partition has opened or has said why it cannot, and the disk has room.
// A partition that cannot is its own problem; the others are better served here than nowhere.
func (l *lookout) ready(w http.ResponseWriter, _ *http.Request) {
	r := readiness{Reasons: []string{}, Problems: []string{}}
	if reason := l.waiting.Load(); reason != nil {
		r.Reasons = append(r.Reasons, *reason)
	}
	if node := l.node.Load(); node != nil {
		r.Problems = append(r.Problems, node.Problems()...)
		if full := node.Full(); full != "" {
			r.Reasons = append(r.Reasons, full)
		}
	}
	status := http.StatusOK
	if r.Ready = len(r.Reasons) == 0; !r.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, r)
}

// cluster tells how the cluster is, as this broker sees it, what is wrong with it, and how old that knowledge is.
func (l *lookout) cluster(w http.ResponseWriter, _ *http.Request) {
	node := l.node.Load()
	if node == nil {
		answer(w, http.StatusServiceUnavailable, clusterHealth{Nodes: []jsonNode{}, Problems: []string{"the broker opens its data"}})
		return
	}
	h, status := judge(gateway.DescribeCluster(node.Router())), http.StatusOK
	if !h.Healthy {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, h)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(body) // the client may be gone: there is nobody to tell
}

// close ends the lookout. A profile or a scrape under way is cut.
func (l *lookout) close() {
	if l.server != nil {
		l.server.Close()
	}
}
