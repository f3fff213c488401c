package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Bounds of every frame's structure.
const (
	// MaxDepth is how deep arrays and maps may nest: a header of a record in a produce uses all of it.
	MaxDepth = 8
	// MaxElements is how many msgpack values one frame may hold, containers and keys included.
	MaxElements = 1 << 20
)

// ErrMalformed is returned for a frame that is not what frame.go draws. Its sender gets an error and loses the connection.
var ErrMalformed = errors.New("protocol: malformed frame")

// guard walks a frame's payload once, before msgpack sees it, and returns ErrMalformed unless it is exactly one msgpack
// value, nested at most MaxDepth deep, with at most maxElements values, no extension types, and no count or length that
// goes beyond the end.
//
// The codec library trusts lengths (five bytes can ask it for gigabytes) and recurses as deep as it is told. Format:
// https://github.com/msgpack/msgpack/blob/master/spec.md
func guard(b []byte, maxElements int) error {
	// pending[d] counts the values still to come of the container at depth d; pending[0] is the frame's single value.
	var pending [MaxDepth + 1]int
	pending[0] = 1
	depth, at := 0, 0
	for elements := 1; ; elements++ {
		if elements > maxElements {
			return fmt.Errorf("%w: more than %d elements", ErrMalformed, maxElements)
		}
		size, values, err := measure(b[at:])
		if err != nil {
			return fmt.Errorf("%w at byte %d", err, at)
		}
		at += size
		pending[depth]--
		if values > 0 {
			if values > len(b)-at {
				return fmt.Errorf("%w: %d values announced at byte %d, %d bytes left", ErrMalformed, values, at, len(b)-at)
			}
			if depth == MaxDepth {
				return fmt.Errorf("%w: nested deeper than %d", ErrMalformed, MaxDepth)
			}
			depth++
			pending[depth] = values
		}
		for depth > 0 && pending[depth] == 0 {
			depth--
		}
		if depth == 0 && pending[0] == 0 {
			break
		}
	}
	if at != len(b) {
		return fmt.Errorf("%w: %d bytes after the end", ErrMalformed, len(b)-at)
	}
	return nil
}

var (
	errCut  = fmt.Errorf("%w: cut short", ErrMalformed)
	errCode = fmt.Errorf("%w: a byte that begins no value, or an extension type", ErrMalformed)
)

// measure returns how many bytes the first value of b takes, for a container only its head, and how many values the
// container holds. It allocates nothing.
func measure(b []byte) (size, values int, err error) {
	if len(b) == 0 {
		return 0, 0, errCut
	}
	switch c := b[0]; {
	case c <= 0x7f || c >= 0xe0: // fixint
		return 1, 0, nil
	case c <= 0x8f: // fixmap
		return 1, 2 * int(c&0x0f), nil
	case c <= 0x9f: // fixarray
		return 1, int(c & 0x0f), nil
	case c <= 0xbf: // fixstr
		size = 1 + int(c&0x1f)
	case c == 0xc0 || c == 0xc2 || c == 0xc3: // nil, false, true
		return 1, 0, nil
	default:
		if size, values, err = measureLong(b); err != nil {
			return 0, 0, err
		}
	}
	if size > len(b) {
		return 0, 0, errCut
	}
	return size, values, nil
}

// measureLong is measure for values whose first byte is followed by a length or a number.
func measureLong(b []byte) (size, values int, err error) {
	switch c := b[0]; c {
	case 0xcc, 0xd0: // uint8, int8
		return 2, 0, nil
	case 0xcd, 0xd1: // uint16, int16
		return 3, 0, nil
	case 0xce, 0xd2, 0xca: // uint32, int32, float32
		return 5, 0, nil
	case 0xcf, 0xd3, 0xcb: // uint64, int64, float64
		return 9, 0, nil
	case 0xc4, 0xd9: // bin8, str8
		n, err := count(b, 1)
		return 2 + n, 0, err
	case 0xc5, 0xda: // bin16, str16
		n, err := count(b, 2)
		return 3 + n, 0, err
	case 0xc6, 0xdb: // bin32, str32
		n, err := count(b, 4)
		return 5 + n, 0, err
	case 0xdc: // array16
		n, err := count(b, 2)
		return 3, n, err
	case 0xdd: // array32
		n, err := count(b, 4)
		return 5, n, err
	case 0xde: // map16
		n, err := count(b, 2)
		return 3, 2 * n, err
	case 0xdf: // map32
		n, err := count(b, 4)
		return 5, 2 * n, err
	}
	return 0, 0, errCode
}

// count reads the big-endian count of the given width that follows the first byte. Ints have 64 bits on every platform
// that brokers run on; on a 32-bit client a count above 2^31 turns negative and is refused here.
func count(b []byte, width int) (int, error) {
	if len(b) < 1+width {
		return 0, errCut
	}
	n := 0
	switch width {
	case 1:
		n = int(b[1])
	case 2:
		n = int(binary.BigEndian.Uint16(b[1:]))
	case 4:
		n = int(binary.BigEndian.Uint32(b[1:]))
	}
	if n < 0 || n > len(b) {
		return 0, errCut
	}
	return n, nil
}
