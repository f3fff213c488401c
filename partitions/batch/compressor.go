package batch

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compressor holds the writers that compressing takes, so that they are made once and can be shared by builders. The zero
// value is ready. It is for one goroutine at a time.
type Compressor struct {
	gzip *gzip.Writer
	lz4  *lz4.Writer
	zstd *zstd.Encoder
}

// compress appends src, compressed, to dst. It returns ErrCodec, wrapped, for a codec that is not known.
func (c *Compressor) compress(dst []byte, codec Codec, src []byte) ([]byte, error) {
	sink := appender(dst)
	switch codec {
	case Gzip:
		if c.gzip == nil {
			c.gzip = gzip.NewWriter(nil)
		}
		c.gzip.Reset(&sink)
		return writeAll(c.gzip, &sink, src)
	case Snappy:
		from, most := len(dst), snappy.MaxEncodedLen(len(src))
		if most < 0 {
			return dst, fmt.Errorf("snappy: %d bytes: %w", len(src), ErrTooLarge)
		}
		if cap(dst)-from < most {
			dst = append(make([]byte, 0, from+most), dst...)
		}
		n := len(snappy.Encode(dst[from:from+most], src))
		return dst[:from+n], nil
	case LZ4:
		if c.lz4 == nil {
			c.lz4 = lz4.NewWriter(nil)
			// 64 KiB is Kafka's choice too; the default would allocate 4 MiB on both sides.
			if err := c.lz4.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)); err != nil {
				return dst, fmt.Errorf("lz4: %w", err)
			}
		}
		c.lz4.Reset(&sink)
		return writeAll(c.lz4, &sink, src)
	case Zstd:
		if c.zstd == nil {
			var err error
			if c.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20)); err != nil {
				return dst, fmt.Errorf("zstd: %w", err)
			}
		}
		return c.zstd.EncodeAll(src, dst), nil
	}
	return dst, fmt.Errorf("%v: %w", codec, ErrCodec)
}

func writeAll(w io.WriteCloser, sink *appender, src []byte) ([]byte, error) {
	if _, err := w.Write(src); err != nil {
		return *sink, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return *sink, fmt.Errorf("compress: %w", err)
	}
	return *sink, nil
}

// appender is an io.Writer into a slice.
type appender []byte

// Write appends p; it does not fail.
func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}
