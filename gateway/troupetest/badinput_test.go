package troupetest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"
	"time"

	"troupe/gateway"
	"troupe/gateway/client"
	"troupe/gateway/protocol"
	"troupe/gateway/troupetest"
	"troupe/partitions/batch"
)

// noise is what a broker and a client allocate by themselves while something else is measured.
const noise = 4 << 20

// Frames that are none cost what was sent, a few times over, get their answer and lose the connection.
func TestBadFrames(t *testing.T) {
	broker := troupetest.Start(t)
	deep := func(c string, n int) string { return strings.Repeat(c, n) }
	for _, c := range []struct {
		name    string
		payload string
		code    protocol.Code
		kept    bool
	}{
		{"array32 bomb", "\xdd\xff\xff\xff\xff", protocol.CodeMalformed, false},
		{"map32 bomb", "\xdf\xff\xff\xff\xff", protocol.CodeMalformed, false},
		{"bin32 bomb", "\xc6\xff\xff\xff\xff", protocol.CodeMalformed, false},
		{"str32 bomb", "\xdb\xff\xff\xff\xff", protocol.CodeMalformed, false},
		{"ext32 bomb", "\xc9\xff\xff\xff\xff\x01", protocol.CodeMalformed, false},
		{"bomb in the body of a produce", "\x94\x15\x01\x07\x82\xa5topic\xa1t\xaapartitions\xdd\xff\xff\xff\xff", protocol.CodeMalformed, false},
		{"bomb for a batch", "\x94\x15\x01\x07\x82\xa5topic\xa1t\xaapartitions\x91\x82\xa9partition\x00\xa5batch\xc6\xff\xff\xff\xff", protocol.CodeMalformed, false},
		{"8 MiB of arrays in arrays", deep("\x91", 8<<20), protocol.CodeMalformed, false},
		{"8 MiB of maps in maps", deep("\x81\x01", 4<<20), protocol.CodeMalformed, false},
		{"8 MiB of values", "\xdd\x00\x7f\xff\xfb" + deep("\xc0", 8<<20-5), protocol.CodeMalformed, false},
		{"8 MiB of a name", "\x94\x0c\x01\x07\x81\xa5topic\xdb\x00\x7f\xff\x00" + deep("n", 8<<20-256), protocol.CodeUnknownTopic, true},
		{"8 MiB of an unknown key", "\x94\x02\x01\x07\x81\xdb\x00\x7f\xff\x00" + deep("n", 8<<20-256) + "\x05", 0, true},
		{"a million partitions", "\x94\x16\x01\x07\x81\xaapartitions\xdd\x00\x0f\xff\x00" + deep("\x80", 0xfff00), protocol.CodeInvalidRequest, true},
		{"nothing", "", protocol.CodeMalformed, false},
		{"cut short", "\x94\x02\x01", protocol.CodeMalformed, false},
		{"bytes behind the end", "\x94\x02\x01\x07\x80\x00", protocol.CodeMalformed, false},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", protocol.CodeMalformed, false},
		{"unknown API", "\x94\xcd\x27\x0f\x01\x07\x80", protocol.CodeUnknownAPI, true},
		{"version 0", "\x94\x02\x00\x07\x80", protocol.CodeUnsupportedVersion, true},
		{"version 9", "\x94\x02\x09\x07\x80", protocol.CodeUnsupportedVersion, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := greeted(t, broker)
			cost := allocated(func() {
				h.frame(c.payload)
				if _, e := h.receive(); (e == nil) != (c.code == 0) || e != nil && e.Code != c.code {
					t.Fatalf("got %v, want %v", e, c.code)
				}
			})
			// The hostile side itself copies the payload once into its frame.
			if most := 5*len(c.payload) + noise; cost > most {
				t.Errorf("%d bytes sent made %d, at most %d", len(c.payload), cost, most)
			}
			if c.kept {
				h.alive()
			} else {
				h.closed()
			}
		})
	}
}

// Frames too long, and requests too early.
func TestFramesThatMayNotBe(t *testing.T) {
	broker := troupetest.Start(t)
	for _, c := range []struct {
		name  string
		hello bool
		bytes []byte
		code  protocol.Code
		limit string
	}{
		{"4 GiB", true, []byte("\xff\xff\xff\xff"), protocol.CodeFrameTooLarge, "frame_bytes"},
		{"8 MiB and one", true, []byte{0, 0x80, 0, 1}, protocol.CodeFrameTooLarge, "frame_bytes"},
		{"4 KiB and one before Hello", false, []byte{0, 0, 0x10, 1}, protocol.CodeFrameTooLarge, "hello_frame_bytes"},
		{"HTTP before Hello", false, []byte("GET / HTTP/1.1\r\n\r\n"), protocol.CodeFrameTooLarge, "hello_frame_bytes"},
		{"Ping before Hello", false, []byte{0, 0, 0, 5, 0x94, 2, 1, 7, 0x80}, protocol.CodeHelloRequired, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := connect(t, broker)
			if c.hello {
				h = greeted(t, broker)
			}
			h.write(c.bytes)
			if e := h.refused(c.code); e.Details.Limit != c.limit {
				t.Errorf("the limit is told as %q", e.Details.Limit)
			}
			h.closed()
		})
	}
}

// requestKeys reads from the protocol's page which keys each API's request has: "Produce" to "partitions[].batch" and so on.
func requestKeys(t *testing.T) map[string][]string {
	page, err := os.ReadFile("../protocol/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	keys, api, within := map[string][]string{}, "", false
	for line := range strings.Lines(string(page)) {
		switch cells := strings.Split(line, " | "); {
		case strings.HasPrefix(line, "## "):
			api = strings.TrimSpace(line[3:])
		case strings.HasPrefix(line, "Request:"):
			within = true
		case strings.HasPrefix(line, "Response:"):
			within = false
		case within && len(cells) == 4 && cells[0] != "| key":
			keys[api] = append(keys[api], strings.TrimPrefix(cells[0], "| "))
		}
	}
	return keys
}

// Each key of each request of a wrong type is refused by name, and the connection goes on.
func TestWrongTypesOfEveryKey(t *testing.T) {
	h := greeted(t, troupetest.Start(t))
	keys := requestKeys(t)
	tried := 0
	for _, a := range protocol.Versions() {
		for _, key := range keys[a.Name] {
			// A key inside an array: {"partitions": [{"batch": 1.5}]}; a float is no key's type.
			outer, inner, nested := strings.Cut(key, "[].")
			body, path := "\x81"+str(outer)+"\xca\x3f\xc0\x00\x00", key
			if nested {
				body, path = "\x81"+str(outer)+"\x91\x81"+str(inner)+"\xca\x3f\xc0\x00\x00", outer+"[0]."+inner
			}
			h.frame(fmt.Sprintf("\x94%c\x01\x07%s", a.API, body))
			if e := h.refused(protocol.CodeInvalidRequest); !strings.Contains(e.Message, "key "+path+":") {
				t.Errorf("%s %s: %v", a.Name, key, e)
			}
			tried++
		}
	}
	h.alive()
	if tried < 30 {
		t.Errorf("only %d keys were found", tried)
	}
}

// str is text in msgpack.
func str(s string) string { return string([]byte{0xd9, byte(len(s))}) + s }

func TestNamesThatAreNone(t *testing.T) {
	broker := troupetest.Start(t)
	h := greeted(t, broker)
	for _, name := range []string{"", ".", "..", "../x", "../../etc/passwd", "a/b", "a\x00b", "tröupe", "\xff\xfe", "a b", "__groups", strings.Repeat("n", 250), strings.Repeat("n", 10_000)} {
		h.request(&protocol.CreateTopicRequest{Topic: name, Partitions: 1})
		h.refused(protocol.CodeInvalidTopicName)
		for _, m := range []protocol.Message{&protocol.DeleteTopicRequest{Topic: name}, &protocol.DescribeTopicRequest{Topic: name},
			&protocol.ProduceRequest{Topic: name}} {
			h.request(m)
			if e := h.refused(protocol.CodeUnknownTopic); len(e.Message) > 1100 {
				t.Errorf("%v of %.20q: a message of %d bytes", m.API(), name, len(e.Message))
			}
		}
	}
	h.request(&protocol.CreateTopicRequest{Topic: "many", Partitions: 10_001})
	h.refused(protocol.CodeInvalidPartitions)
	h.request(&protocol.CreateTopicRequest{Topic: "odd", Partitions: 1, Settings: map[string]string{"../x": strings.Repeat("v", 10_000)}})
	h.refused(protocol.CodeInvalidSetting)
	topics, err := broker.Client(t).ListTopics(t.Context())
	if err != nil || len(topics) != 0 {
		t.Errorf("there are %d topics, %v", len(topics), err)
	}
}

// built is a batch of one record.
func built(t testing.TB, codec batch.Codec, value []byte, headers int) []byte {
	b := batch.NewBuilder(codec)
	b.Append(1, nil, value, make([]batch.RecordHeader, headers))
	data, err := b.Build(batch.NoProducer, batch.NoEpoch, batch.NoSequence)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(data)
}

// change alters a batch and makes its checksum match again: magic 2 has it at 17, over all from 21 on.
func change(b []byte, f func([]byte)) []byte {
	b = bytes.Clone(b)
	f(b)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// Batches that contradict themselves, or that become too much, are refused at the door; nothing of them is appended, and a
// bomb takes the decompressor's budget at most.
func TestBadBatches(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithTopic("t", 1))
	h := greeted(t, broker)
	good := built(t, batch.None, []byte("value"), 0)
	put := func(at int, v uint32) func([]byte) { return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) } }
	for _, c := range []struct {
		name string
		data []byte
		code protocol.Code
	}{
		{"nothing", []byte{}, protocol.CodeInvalidBatch},
		{"half a header", good[:30], protocol.CodeInvalidBatch},
		{"cut short", good[:len(good)-1], protocol.CodeInvalidBatch},
		{"something behind", append(bytes.Clone(good), 0), protocol.CodeInvalidBatch},
		{"wrong checksum", append(bytes.Clone(good[:len(good)-1]), 0xff), protocol.CodeInvalidBatch},
		{"wrong length", change(good, put(8, 1<<30)), protocol.CodeInvalidBatch},
		{"negative length", change(good, put(8, 1<<31)), protocol.CodeInvalidBatch},
		{"magic 1", change(good, func(b []byte) { b[16] = 1 }), protocol.CodeInvalidBatch},
		{"unknown codec", change(good, func(b []byte) { b[22] = 7 }), protocol.CodeInvalidBatch},
		{"control batch", change(good, func(b []byte) { b[22] = 0x20 }), protocol.CodeInvalidBatch},
		{"count above what is there", change(good, func(b []byte) { put(57, 2)(b); put(23, 1)(b) }), protocol.CodeInvalidBatch},
		{"count of billions", change(good, func(b []byte) { put(57, 1<<31-1)(b); put(23, 1<<31-2)(b) }), protocol.CodeBatchTooLarge},
		{"count and delta disagree", change(good, put(57, 2)), protocol.CodeInvalidBatch},
		{"no records", change(good, put(57, 0)), protocol.CodeInvalidBatch},
		{"larger than the topic allows", built(t, batch.None, make([]byte, 1<<20), 0), protocol.CodeBatchTooLarge},
		{"2,000 headers", built(t, batch.None, nil, 2000), protocol.CodeBatchTooLarge},
		{"gzip bomb", built(t, batch.Gzip, make([]byte, 100<<20), 0), protocol.CodeBatchTooLarge},
		{"zstd bomb", built(t, batch.Zstd, make([]byte, 100<<20), 0), protocol.CodeBatchTooLarge},
		{"flood of headers", built(t, batch.Zstd, nil, 4<<20), protocol.CodeBatchTooLarge},
		{"garbage as gzip", change(good, func(b []byte) { b[22] = 1 }), protocol.CodeInvalidBatch},
		{"garbage as zstd", change(good, func(b []byte) { b[22] = 4 }), protocol.CodeInvalidBatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			before := held()
			h.request(&protocol.ProduceRequest{Topic: "t", Acks: protocol.AcksQuorum, Partitions: []protocol.ProducePartition{
				{Batch: c.data, ExpectEnd: protocol.NoOffset}}})
			body, e := h.receive()
			if e != nil {
				t.Fatal(e)
			}
			var answer protocol.ProduceResponse
			if err := body.Decode(&answer); err != nil {
				t.Fatal(err)
			}
			if e := answer.Partitions[0].Err; e == nil || e.Code != c.code {
				t.Errorf("got %v, want %v", e, c.code)
			}
			// One decompressor works; it keeps its window and a megabyte.
			if kept := held() - before; kept > 4*len(c.data)+(32<<20)+noise {
				t.Errorf("%d bytes are kept", kept)
			}
		})
	}
	h.t = t
	h.alive()
	if ends, err := broker.Client(t).ListOffsets(t.Context(), "t", client.FromEnd()); err != nil || ends[0].Offset != 0 {
		t.Errorf("something was appended: %+v, %v", ends, err)
	}
}

// N are served, N + 1 is told why not.
func TestTheConnectionLimitIsReached(t *testing.T) {
	const most = 20
	broker := troupetest.Start(t, troupetest.WithLimits(gateway.Limits{Connections: most}))
	var served []*hostile
	for range most {
		served = append(served, greeted(t, broker))
	}
	for range 5 {
		over := connect(t, broker)
		over.request(&protocol.HelloRequest{})
		e := over.refused(protocol.CodeThrottled)
		if !e.Retriable || e.Details.Limit != "connections" || e.Details.WaitMillis <= 0 {
			t.Errorf("got %v, %+v", e, e.Details)
		}
		over.closed()
	}
	for _, h := range served {
		h.alive()
	}
	served[0].conn.Close()
	// The library's client comes back until there is room.
	if _, err := broker.Client(t).ListTopics(t.Context()); err != nil {
		t.Error(err)
	}
}

// Clients that vanish within a frame, that send a byte now and then, and that never begin, hold up nobody and are let go.
func TestSlowAndVanishingClients(t *testing.T) {
	broker := troupetest.Start(t, troupetest.WithLimits(gateway.Limits{
		HandshakeTime: time.Second, FrameTime: time.Second, IdleTime: 3 * time.Second}))
	before := held()
	beside(t, broker, 300, func() {
		for range 50 { // announce much, send half of little, and go
			h := greeted(t, broker)
			h.write([]byte{0, 0x7f, 0xff, 0xff, 0x94, 0x15})
			h.conn.Close()
		}
		var silent, slow []*hostile
		for range 20 {
			silent, slow = append(silent, connect(t, broker)), append(slow, greeted(t, broker))
		}
		for _, h := range slow {
			h.write([]byte{0, 0x7f, 0xff, 0xff})
		}
		for range 100 { // byte by byte
			for _, h := range slow {
				h.write([]byte{0x91})
			}
		}
		// While half of them still announce 8 MiB each: a connection has its buffers and the first piece of a frame.
		if kept, most := held()-before, len(silent)*(64<<10)+len(slow)*(256<<10)+2*noise; kept > most {
			t.Errorf("%d bytes are held, at most %d", kept, most)
		}
		for _, h := range silent {
			if e := h.refused(protocol.CodeTimedOut); e.Details.Limit != "handshake_ms" {
				t.Errorf("got %v", e)
			}
			h.closed()
		}
		for _, h := range slow {
			if e := h.refused(protocol.CodeTimedOut); e.Details.Limit != "frame_ms" {
				t.Errorf("got %v", e)
			}
			h.closed()
		}
	})
	if kept := held() - before; kept > 2*noise {
		t.Errorf("%d bytes are kept", kept)
	}
}

// Clients that ask for much and read nothing hold the budgets at most, and not for long when somebody else needs them.
func TestClientsThatReadNothing(t *testing.T) {
	limits := gateway.Limits{InflightBytesInAll: 48 << 20, InflightBytes: 16 << 20, LingerTime: 100 * time.Millisecond}
	broker := troupetest.Start(t, troupetest.WithLimits(limits), troupetest.WithTopic("t", 2))
	filler := greeted(t, broker)
	value := bytes.Repeat([]byte("incompressible enough "), 40_000)
	for i := range 16 {
		filler.request(&protocol.ProduceRequest{Topic: "t", Acks: protocol.AcksQuorum, Partitions: []protocol.ProducePartition{
			{Partition: int32(i % 2), Batch: built(t, batch.None, value, 0), ExpectEnd: protocol.NoOffset}}})
		if _, e := filler.receive(); e != nil {
			t.Fatal(e)
		}
	}
	before := held()
	for _, form := range []protocol.Form{protocol.FormBatch, protocol.FormRecords} {
		t.Run(fmt.Sprint(form), func(t *testing.T) {
			fetch := &protocol.FetchRequest{MinBytes: 1, MaxBytes: 6 << 20, WaitMillis: 60_000, Form: form,
				Partitions: []protocol.FetchPartition{{Topic: "t"}, {Topic: "t", Partition: 1}}}
			sent := 0
			beside(t, broker, 200, func() {
				for range 12 {
					h := greeted(t, broker)
					for range 40 {
						h.request(fetch)
					}
					sent += h.sent
				}
			})
			if kept, most := held()-before, 4*sent+limits.InflightBytesInAll+2*noise; kept > most {
				t.Errorf("%d bytes are held, at most %d", kept, most)
			}
		})
	}
}
