package protocol

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

func TestGuard(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("\x91", n) + "\xc0" }
	for _, c := range []struct {
		name, payload string
		fine          bool
	}{
		{"nil", "\xc0", true},
		{"empty array", "\x90", true},
		{"nested as deep as allowed", deep(MaxDepth), true},
		{"nested deeper", deep(MaxDepth + 1), false},
		{"maps nested deeper", strings.Repeat("\x81\xa1k", MaxDepth+1) + "\xc0", false},
		{"nothing", "", false},
		{"two values", "\xc0\xc0", false},
		{"array32 of billions", "\xdd\xff\xff\xff\xff", false},
		{"map32 of billions", "\xdf\x7f\xff\xff\xff\xc0\xc0", false},
		{"array of more than there is", "\x93\xc0\xc0", false},
		{"map of more than there is", "\x82\xc0\xc0\xc0", false},
		{"str longer than there is", "\xa3ab", false},
		{"bin32 longer than there is", "\xc6\xff\xff\xff\xff", false},
		{"bin8 without length", "\xc4", false},
		{"uint64 cut", "\xcf\x00\x00\x00", false},
		{"never used", "\xc1", false},
		{"extension", "\xd4\x01\x02", false},
		{"extension with length", "\xc7\x00\x01", false},
		{"as many values as allowed", "\xdc\x00\x0f" + strings.Repeat("\xc0", 15), true},
		{"more values than allowed", "\xdc\x00\x10" + strings.Repeat("\xc0", 16), false},
	} {
		err := guard([]byte(c.payload), 16)
		if (err == nil) != c.fine || (err != nil && !errors.Is(err, ErrMalformed)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzGuard holds the guard against the codec library: what the guard lets pass, the library reads to the last byte.
func FuzzGuard(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.frame().Payload())
	}
	f.Add([]byte("\xdd\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if guard(b, MaxElements) != nil {
			return
		}
		src := bytes.NewReader(b)
		if err := msgpack.NewDecoder(src).Skip(); err != nil || src.Len() != 0 {
			t.Errorf("passed, and then: %v, %d bytes left of %x", err, src.Len(), b)
		}
	})
}

// FuzzRequests decodes any body as each kind of message: no panic, no read beyond the end, and what was understood is
// understood again after encoding it.
func FuzzRequests(f *testing.F) { fuzzMessages(f, true) }

// FuzzResponses is FuzzRequests for responses.
func FuzzResponses(f *testing.F) { fuzzMessages(f, false) }

func fuzzMessages(f *testing.F, requests bool) {
	for i, a := range apis {
		for _, s := range samples() {
			if s.API() == a.api && s.isRequest() == requests {
				f.Add(uint8(i), []byte(s.body()))
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		if guard(body, MaxElements) != nil {
			return
		}
		a := apis[int(which)%len(apis)]
		first, second := a.response(), a.response()
		if requests {
			first, second = a.request(), a.request()
		}
		if err := Body(body).Decode(first); err != nil {
			return
		}
		again := encodeBody(first)
		if err := again.Decode(second); err != nil {
			t.Fatalf("%v: what was understood is not when it is encoded again: %v\n%x", a.api, err, again)
		}
		if twice := encodeBody(second); !bytes.Equal(again, twice) {
			t.Errorf("%v: encodings differ:\n%x\n%x", a.api, again, twice)
		}
	})
}

func encodeBody(m Message) Body {
	w := newWriter()
	m.encode(w)
	return w.frame().Payload()
}
