package gateway

import (
	"errors"
	"strings"
	"testing"

	"troupe/gateway/protocol"

	"github.com/google/go-cmp/cmp"
)

func TestHelloTellsWhereAndWhatIsAllowed(t *testing.T) {
	c := mute(t, newFakeBroker(t), Limits{InflightRequests: 9})
	got := as[*protocol.HelloResponse](t, c.ask(&protocol.HelloRequest{Client: "me"}))
	if got.Cluster != testCluster || got.Node != testNode || got.Version != "1.2.3" || got.Limits.InflightRequests != 9 {
		t.Errorf("got %+v", got)
	}
	if got.Limits.FrameBytes != protocol.DefaultFrameBytes || got.Limits.Partitions != protocol.MaxPartitions {
		t.Errorf("limits: %+v", got.Limits)
	}
	if diff := cmp.Diff(protocol.Versions(), got.APIs); diff != "" {
		t.Error(diff)
	}
}

func TestTheFirstRequestIsHello(t *testing.T) {
	c := mute(t, newFakeBroker(t), Limits{})
	n := correlation(1, protocol.APIPing)
	if _, err := c.session.Receive(protocol.EncodeRequest(n, &protocol.PingRequest{}).Payload()); !errors.Is(err, errHelloRequired) {
		t.Errorf("the session goes on: %v", err)
	}
	if a := c.must(n); codeOf(a.err) != protocol.CodeHelloRequired {
		t.Errorf("got %v", a.err)
	}
}

// Before Hello a frame is small, afterwards it may be as long as the limits say.
func TestFramesBeforeHelloAreSmall(t *testing.T) {
	c := mute(t, newFakeBroker(t), Limits{FrameBytes: 100_000})
	long := &protocol.HelloRequest{Client: strings.Repeat("x", protocol.HelloFrameBytes)}
	if _, err := c.session.Receive(protocol.EncodeRequest(1, long).Payload()); !errors.Is(err, protocol.ErrFrameTooLarge) {
		t.Errorf("a long hello: %v", err)
	}
	if a := c.must(0); codeOf(a.err) != protocol.CodeFrameTooLarge {
		t.Errorf("got %v", a.err)
	}
	c = newTalk(t, newFakeBroker(t), Limits{FrameBytes: 100_000})
	c.ask(long)
	if _, err := c.session.Receive(make([]byte, 100_001)); !errors.Is(err, protocol.ErrFrameTooLarge) {
		t.Errorf("a frame above the limit: %v", err)
	}
}

// A request that cannot be carried out is answered, and the session goes on; one that is no request ends it.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload string // [api, version, correlation, body] by hand
		code    protocol.Code
		says    string // part of the message
		ends    bool
	}{
		{"unknown API", "\x94\xcd\x03\xe7\x01\x00\x80", protocol.CodeUnknownAPI, "999", false},
		{"version 0", "\x94\x02\x00\x00\x80", protocol.CodeUnsupportedVersion, "speaks 1 to 1", false},
		{"version too new", "\x94\x02\x02\x00\x80", protocol.CodeUnsupportedVersion, "Ping version 2", false},
		{"wrong type", "\x94\x0c\x01\x00\x81\xa5topic\x05", protocol.CodeInvalidRequest, "key topic: want str, got int", false},
		{"missing key", "\x94\x0c\x01\x00\x81\xa8topic_id\x05", protocol.CodeInvalidRequest, "key topic: is missing", false},
		{"deep key", "\x94\x15\x01\x00\x82\xa5topic\xa1a\xaapartitions\x91\x82\xa9partition\x01\xa5batch\xa4text",
			protocol.CodeInvalidRequest, "key partitions[0].batch: want bin, got str", false},
		{"body of another kind", "\x94\x02\x01\x00\x05", protocol.CodeInvalidRequest, "want map, got int", false},
		{"no body", "\x94\x02\x01\x00\xc0", 0, "", false},
		{"unknown key", "\x94\x02\x01\x00\x81\xa4what\x93\x01\xa12\x80", 0, "", false},
		{"too few elements", "\x93\x02\x01\x00", protocol.CodeMalformed, "4 elements", true},
		{"a map", "\x81\xa3api\x02", protocol.CodeMalformed, "want array", true},
		{"negative correlation", "\x94\x02\x01\xff\x80", protocol.CodeMalformed, "", true},
		{"too deep", "\x94\x02\x01\x00" + strings.Repeat("\x91", 8) + "\x01", protocol.CodeMalformed, "deeper", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			talk := newTalk(t, newFakeBroker(t, topic("a", 2)), Limits{})
			before := len(talk.order)
			var got *protocol.Error
			talk.session.send = func(r Reply) {
				header, _, err := protocol.ParseResponse(r.Frame().Payload())
				if err != nil {
					t.Error(err)
				}
				talk.order, got = append(talk.order, 0), header.Err
			}
			_, err := talk.session.Receive([]byte(c.payload))
			if (err != nil) != c.ends {
				t.Errorf("session ends: %v", err)
			}
			if len(talk.order) != before+1 {
				t.Errorf("%d replies, want 1", len(talk.order)-before)
			}
			if codeOf(got) != c.code || (got != nil && !strings.Contains(got.Message, c.says)) {
				t.Errorf("got %v, want %v with %q", got, c.code, c.says)
			}
		})
	}
}

// FuzzReceive throws bytes at a session that has said hello: it never panics, and every frame gets exactly one reply.
func FuzzReceive(f *testing.F) {
	for _, m := range []protocol.Message{
		&protocol.PingRequest{}, &protocol.MetadataRequest{Topics: []string{"a"}}, &protocol.DescribeClusterRequest{},
		&protocol.CreateTopicRequest{Topic: "b", Partitions: 1}, &protocol.DeleteTopicRequest{Topic: "a"},
		&protocol.DescribeTopicRequest{Topic: "a"}, &protocol.InitProducerRequest{}, fetchOf("a", 0, 0, 1),
		produceTo("a", 0, batchOf(f, "x", 2, testStart)), produceTo("a", 1, codedBatchOfZstd(f)),
		&protocol.ListOffsetsRequest{Partitions: []protocol.OffsetPartition{{Topic: "a"}}},
	} {
		f.Add(protocol.EncodeRequest(1, m).Payload())
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		b := newFakeBroker(t, topic("a", 2))
		replies := 0
		s := NewSession(b, Limits{}, func(r Reply) {
			replies++
			r.Frame()
			r.Done()
		})
		if _, err := s.Receive(protocol.EncodeRequest(0, &protocol.HelloRequest{}).Payload()); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Receive(payload)
		s.Close()
		b.advance(1 << 40)
		if replies != 2 {
			t.Errorf("%d replies to hello and one frame", replies)
		}
	})
}
