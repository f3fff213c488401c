package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Decompressor holds the readers that decompressing takes, so that they are made once. The zero value is ready. It is for
// one goroutine at a time.
//
// While it works it takes at most maxDecompressed bytes and the codec's window (zstd: maxWindow). Whoever has many of them
// bounds how many there are.
type Decompressor struct {
	gzip    *gzip.Reader
	lz4     *lz4.Reader
	zstd    *zstd.Decoder
	source  bytes.Reader
	scratch []byte // what Validate decompresses into
}

const (
	// keptScratch is the largest buffer that a Decompressor keeps between calls.
	keptScratch = 1 << 20
	// maxWindow is the largest window that a zstd frame may ask for: what zstd's levels up to 19 use.
	maxWindow = 8 << 20
)

// xerial is the beginning of snappy as Java's producers write it: magic, two version numbers, then blocks, each behind its
// length, big endian:
//
//	+---------------------------+-----------+--------------+-----------+-------+-----
//	| 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version 4 | compatible 4 | length 4 | block | …
//	+---------------------------+-----------+--------------+-----------+-------+-----
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

// decompress appends to dst what src holds. It returns dst, as far as it got, also with an error: ErrMalformed, ErrTooLarge
// or ErrCodec, wrapped.
func (d *Decompressor) decompress(dst []byte, c Codec, src []byte, limit int) ([]byte, error) {
	d.source.Reset(src)
	switch c {
	case Gzip:
		if err := d.resetGzip(); err != nil {
			return dst, fmt.Errorf("gzip: %w: %w", err, ErrMalformed)
		}
		return readUpTo(dst, d.gzip, c, limit)
	case Snappy:
		return readSnappy(dst, src, limit)
	case LZ4:
		if d.lz4 == nil {
			d.lz4 = lz4.NewReader(nil)
		}
		d.lz4.Reset(&d.source)
		return readUpTo(dst, d.lz4, c, limit)
	case Zstd:
		if err := d.resetZstd(); err != nil {
			return dst, fmt.Errorf("zstd: %w: %w", err, ErrMalformed)
		}
		return readUpTo(dst, d.zstd, c, limit)
	}
	return dst, fmt.Errorf("%v: %w", c, ErrCodec)
}

func (d *Decompressor) resetGzip() (err error) {
	if d.gzip == nil {
		d.gzip, err = gzip.NewReader(&d.source)
		return err
	}
	return d.gzip.Reset(&d.source)
}

// One decoder, no goroutines: with a concurrency of 1 zstd works inside Read.
func (d *Decompressor) resetZstd() (err error) {
	if d.zstd == nil {
		d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
	}
	return d.zstd.Reset(&d.source)
}

// readUpTo appends all of r to dst, which grows as bytes really come: what a frame says of its size is not believed.
func readUpTo(dst []byte, r io.Reader, c Codec, limit int) ([]byte, error) {
	from := len(dst)
	for {
		if len(dst)-from > limit {
			return dst, tooLarge(c, limit)
		}
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), from+limit+1)])
		dst = dst[:len(dst)+n]
		switch {
		case errors.Is(err, io.EOF) && len(dst)-from <= limit:
			return dst, nil
		case errors.Is(err, zstd.ErrWindowSizeExceeded):
			return dst, fmt.Errorf("zstd: window above %d bytes: %w", maxWindow, ErrTooLarge)
		case err != nil && !errors.Is(err, io.EOF):
			return dst, fmt.Errorf("%v: %w: %w", c, err, ErrMalformed)
		}
	}
}

// readSnappy reads both forms: one raw block, and the framed one of Java's producers.
func readSnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return readSnappyBlock(dst, src, limit)
	}
	if len(src) < xerialHeader {
		return dst, fmt.Errorf("snappy: frame ends in its header: %w", ErrMalformed)
	}
	from := len(dst)
	for src = src[xerialHeader:]; len(src) > 0; {
		if len(src) < 4 || uint64(binary.BigEndian.Uint32(src)) > uint64(len(src)-4) {
			return dst, fmt.Errorf("snappy: frame ends in a block: %w", ErrMalformed)
		}
		n := 4 + int(binary.BigEndian.Uint32(src))
		var err error
		if dst, err = readSnappyBlock(dst, src[4:n], limit-(len(dst)-from)); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

func readSnappyBlock(dst, src []byte, limit int) ([]byte, error) {
	size, err := snappy.DecodedLen(src)
	if err != nil {
		return dst, fmt.Errorf("snappy: %w: %w", err, ErrMalformed)
	}
	if size > limit {
		return dst, tooLarge(Snappy, limit)
	}
	from := len(dst)
	if cap(dst)-from < size {
		dst = append(make([]byte, 0, from+size), dst...)
	}
	if _, err := snappy.Decode(dst[from:from+size:from+size], src); err != nil {
		return dst, fmt.Errorf("snappy: %w: %w", err, ErrMalformed)
	}
	return dst[:from+size], nil
}

func tooLarge(c Codec, limit int) error {
	return fmt.Errorf("%v: records decompress to more than %d bytes: %w", c, limit, ErrTooLarge)
}
