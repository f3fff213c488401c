package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"troupe/gateway/client"
	"troupe/gateway/protocol"
)

// scene is a topic and the clients that use it, for as long as a measurement lasts.
type scene struct {
	load    *Load
	topic   string
	created bool
	clients []*client.Client
	records int64 // in the topic when the scene was set
}

// cleanupTime bounds the deletion of a topic after a measurement that was interrupted.
const cleanupTime = 30 * time.Second

// set connects the clients and creates the topic, unless the load names one that there is: then the load's number of
// partitions becomes that topic's.
func set(ctx context.Context, l *Load) (_ *scene, err error) {
	s := &scene{load: l, topic: l.Topic}
	defer func() {
		if err != nil {
			s.strike(ctx)
		}
	}()
	for range l.Clients {
		c, err := l.connect()
		if err != nil {
			return nil, err
		}
		s.clients = append(s.clients, c)
		if _, err := c.Ping(ctx); err != nil {
			return nil, err
		}
	}
	if s.topic == "" {
		s.topic = fmt.Sprintf("bench-%d", time.Now().UnixNano())
	}
	_, err = s.clients[0].CreateTopic(ctx, s.topic, l.Partitions, nil)
	s.created = err == nil || errors.Is(err, client.ErrOutcomeUnknown) // an interrupt may have come between
	switch {
	case err == nil:
		return s, nil
	case l.Topic == "" || !errors.Is(err, protocol.CodeTopicExists):
		return nil, err
	}
	topic, err := s.clients[0].DescribeTopic(ctx, s.topic)
	if err != nil {
		return nil, err
	}
	l.Partitions = int32(len(topic.Partitions))
	for _, p := range topic.Partitions {
		s.records += max(0, int64(p.HighWatermark-p.LogStart))
	}
	return s, nil
}

// strike closes the clients and deletes the topic if the scene created it and nobody wants it kept.
func (s *scene) strike(ctx context.Context) error {
	var err error
	if s.created && !s.load.Keep {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		err = s.clients[0].DeleteTopic(ctx, s.topic)
		cancel()
	}
	for _, c := range s.clients {
		c.Close()
	}
	return err
}

// generators makes one for each client; for epoch see generator.
func (s *scene) generators(epoch time.Time) []*generator {
	var all []*generator
	for _, c := range s.clients {
		all = append(all, newGenerator(c, s.topic, s.load, epoch))
	}
	return all
}
