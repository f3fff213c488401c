package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

func TestReadFrame(t *testing.T) {
	framed := func(n int) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(n))
		for i := range n {
			b = append(b, byte(i>>3))
		}
		return b
	}
	for _, n := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, 2*firstRead + 1, 5 * firstRead} {
		stream := framed(n)
		got, err := ReadFrame(bytes.NewReader(append(stream, 9)), n)
		if err != nil || !bytes.Equal(got, stream[lengthBytes:]) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, err := ReadFrame(bytes.NewReader(stream), n-1); n > 0 && !errors.Is(err, ErrFrameTooLarge) {
			t.Errorf("%d bytes where %d are allowed: %v", n, n-1, err)
		}
		for _, cut := range []int{1, 3, 4, len(stream) - 1} {
			if cut < len(stream) && cut > 0 {
				if _, err := ReadFrame(bytes.NewReader(stream[:cut]), n); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%d bytes cut at %d: %v", n, cut, err)
				}
			}
		}
	}
	if _, err := ReadFrame(bytes.NewReader(nil), 9); err != io.EOF {
		t.Errorf("an empty stream: %v", err)
	}
}

// A peer that announces much and sends little costs little.
func TestAnAnnouncementAllocatesLittle(t *testing.T) {
	stream := binary.BigEndian.AppendUint32(nil, 1<<30)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := ReadFrame(bytes.NewReader(stream), 1<<30); err == nil {
				b.Fatal("a frame came out of nothing")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 2*firstRead {
		t.Errorf("%d bytes allocated for an announcement", allocated)
	}
}

func TestResponsesThatAreNone(t *testing.T) {
	for _, payload := range []string{"", "\x93\x01\xc0", "\x92\x01\xc0", "\x93\xa1x\xc0\x80", "\x93\x01\x05\x80", "\x93\x01\x91\x05\x80", "\x93\x01\xc0\x80\x80"} {
		if _, _, err := ParseResponse([]byte(payload)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: %v", payload, err)
		}
	}
}

// A client understands an error whose code is younger than itself, and elements that are added later.
func TestErrorsOfTheFuture(t *testing.T) {
	w := newWriter()
	w.array(3)
	w.uint(7)
	w.array(6)
	w.uint(999)
	w.str("NEW")
	w.str("of tomorrow")
	w.bool(true)
	w.fields(1)
	w.putStr("hint", "none")
	w.array(0)
	w.nil()
	header, _, err := ParseResponse(w.frame().Payload())
	if err != nil {
		t.Fatal(err)
	}
	if e := header.Err; e.Code != 999 || e.Name != "NEW" || !e.Retriable || e.Outcome() != Unknown || e.Error() != "NEW: of tomorrow" {
		t.Errorf("got %+v", e)
	}
}

func TestErrorsAreComparedByCode(t *testing.T) {
	var err error = NewError(CodeThrottled, "wait")
	if !errors.Is(err, CodeThrottled) || !errors.Is(err, NewError(CodeThrottled, "another")) {
		t.Error("the same code is another error")
	}
	if errors.Is(err, CodeNotReady) || errors.Is(err, NewError(CodeNotReady, "wait")) {
		t.Error("another code is the same error")
	}
	last := Code(0)
	for _, k := range Kinds() {
		if k.Code <= last {
			t.Errorf("%s stands out of order, or twice", k.Name)
		}
		if k.Retriable && k.Outcome != NotDone {
			t.Errorf("%s: retriable, though its outcome is %v", k.Name, k.Outcome)
		}
		last = k.Code
	}
}

// FuzzReadFrame reads any stream frame by frame: each is what its length says, asks for no more room than that, and never
// for room that the bytes before it have not earned.
func FuzzReadFrame(f *testing.F) {
	for _, s := range samples() {
		f.Add(bytes.Join(s.frame(), nil), uint32(1<<20))
	}
	f.Add([]byte("\xff\xff\xff\xff"), uint32(8<<20))
	f.Add(append([]byte{0, 4, 0, 0}, make([]byte, 1<<18)...), uint32(1<<20))
	f.Fuzz(func(t *testing.T, stream []byte, limit uint32) {
		most := int(limit)
		rest := bytes.NewReader(stream)
		for {
			at, room := len(stream)-rest.Len(), 0
			payload, err := ReadFrameWithin(rest, most, func(more int) error {
				if have := len(stream) - rest.Len() - at - lengthBytes; more < 0 || room+more > max(firstRead, 2*have) {
					t.Fatalf("room for %d more after %d bytes", more, have)
				}
				room += more
				return nil
			})
			if err != nil {
				return
			}
			if n := int(binary.BigEndian.Uint32(stream[at:])); len(payload) != n || room != n || n > most || !bytes.Equal(payload, stream[at+lengthBytes:at+lengthBytes+n]) {
				t.Fatalf("a frame of %d bytes, announced %d, room for %d", len(payload), n, room)
			}
		}
	})
}
