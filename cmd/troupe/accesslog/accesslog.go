package accesslog

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for the data
	"fmt"
	"io"
)

// SHA256 is the checksum of the unpacked file, in hexadecimal.
const SHA256 = "f15c31e905f86c7b4b6ab44aee74d0a2086dce89f010187d983edea7ef0364ef"

//go:embed access.log.gz
var packed []byte

// Read unpacks the log. It fails only if the binary was built from a damaged file.
func Read() ([]byte, error) {
	unpacker, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	text, err := io.ReadAll(unpacker)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	return text, nil
}

// Line is one request that the web server answered.
type Line struct {
	Client []byte // the address that asked, the first field of Text
	Text   []byte // the whole line, without its line end
}

// Lines returns the log's lines in order. They share memory.
func Lines() ([]Line, error) {
	text, err := Read()
	if err != nil {
		return nil, err
	}
	var lines []Line
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		client, _, _ := bytes.Cut(line, []byte(" "))
		lines = append(lines, Line{Client: client, Text: line})
	}
	return lines, nil
}
