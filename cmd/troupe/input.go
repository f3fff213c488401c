package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"troupe/gateway/client"
)

// maxLine is the longest line that becomes a record: what the largest batch of any topic can hold.
const maxLine = 4 << 20

// input reads the files of a produce command line by line; a line is a record.
type input struct {
	files []string // "-" is standard input
	in    io.Reader
	keys  keyRule
}

// each calls f with key and value of every line; they are f's only until it returns. The key is nil where a line has none.
func (i *input) each(f func(key, value []byte) error) error {
	for _, name := range i.files {
		if err := i.eachOf(name, f); err != nil {
			return err
		}
	}
	return nil
}

func (i *input) eachOf(name string, f func(key, value []byte) error) error {
	from := i.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("%w; name a file that can be read, or none to read standard input", err)
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil && info.IsDir() {
			return fmt.Errorf("%s is a directory; name the files in it", name)
		}
		from = file
	} else {
		name = "standard input"
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxLine+1)
	number := 0
	for lines.Scan() {
		number++
		key, value := i.keys.split(lines.Bytes())
		if err := f(key, value); err != nil {
			return err
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d of %s is longer than %s, the most a record can hold", number+1, name, bytesText(maxLine))
	}
	if err != nil {
		return fmt.Errorf("%s, after line %d: %w", name, number, err)
	}
	return nil
}

// keyRule tells a line's key from its value. The zero rule gives no line a key.
type keyRule struct {
	delimiter []byte         // the key is what stands before it, the value what stands behind
	pattern   *regexp.Regexp // the key is its first group, or all of it; the value is the whole line
}

// parseKeyRule reads --key-delimiter and --key-regex, of which at most one may be given.
func parseKeyRule(delimiter, pattern string) (keyRule, error) {
	switch {
	case delimiter != "" && pattern != "":
		return keyRule{}, usagef("--key-delimiter and --key-regex exclude each other")
	case pattern == "":
		return keyRule{delimiter: []byte(delimiter)}, nil
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return keyRule{}, usagef("--key-regex: %v", err)
	}
	return keyRule{pattern: compiled}, nil
}

// given tells whether lines are supposed to have keys.
func (r keyRule) given() bool { return r.pattern != nil || len(r.delimiter) > 0 }

func (r keyRule) split(line []byte) (key, value []byte) {
	switch {
	case r.pattern != nil:
		groups := r.pattern.FindSubmatch(line)
		if groups == nil {
			return nil, line
		}
		return groups[min(1, len(groups)-1)], line
	case len(r.delimiter) > 0:
		if before, after, found := bytes.Cut(line, r.delimiter); found {
			return before, after
		}
	}
	return nil, line
}

// parseHeaders reads the key:value pairs of -H.
func parseHeaders(pairs []string) ([]client.Header, error) {
	var headers []client.Header
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, ":")
		if !ok || key == "" {
			return nil, usagef("--header %q is no header; write it as key:value", pair)
		}
		headers = append(headers, client.Header{Key: key, Value: []byte(strings.TrimPrefix(value, " "))})
	}
	return headers, nil
}
