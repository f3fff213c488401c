package batch

import "fmt"

// Codec is how the records of a batch are compressed. The values are those of the attributes' low three bits.
type Codec int8

// The codecs.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Known tells whether this package can read and write the codec.
func (c Codec) Known() bool { return c >= 0 && int(c) < len(codecNames) }

// String returns the name that settings and flags use.
func (c Codec) String() string {
	if !c.Known() {
		return fmt.Sprintf("codec(%d)", int8(c))
	}
	return codecNames[c]
}

// ParseCodec reads what String prints. It returns ErrCodec, wrapped, for anything else.
func ParseCodec(name string) (Codec, error) {
	for c, n := range codecNames {
		if n == name {
			return Codec(c), nil
		}
	}
	return None, fmt.Errorf("compression %q is none of none, gzip, snappy, lz4, zstd: %w", name, ErrCodec)
}
