package main

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"troupe/gateway/client"
)

// format prints a record the way --format says.
type format func(dst []byte, r *client.Record) []byte

// formatHelp is what --help tells about --format.
const formatHelp = `how to print a record: json, or text with %k key, %v value, %o offset, %p partition, %t time, %h headers, %% and \n \t \\`

// parseFormat compiles the text of --format.
func parseFormat(text string) (format, error) {
	if text == "json" {
		return appendJSON, nil
	}
	var parts []format
	var literal []byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c != '%' && c != '\\') || i+1 == len(text) {
			literal = append(literal, c)
			continue
		}
		i++
		if c == '\\' || text[i] == '%' {
			replacement, ok := escapes[text[i]]
			if !ok {
				return nil, usagef(`--format: unknown escape \%c; there are \n \t \r \0 \\`, text[i])
			}
			literal = append(literal, replacement)
			continue
		}
		field, ok := fields[text[i]]
		if !ok {
			return nil, usagef("--format: unknown field %%%c; there are %%k %%v %%o %%p %%t %%h %%%%", text[i])
		}
		parts = append(parts, constant(literal), field)
		literal = nil
	}
	parts = append(parts, constant(literal))
	return func(dst []byte, r *client.Record) []byte {
		for _, part := range parts {
			dst = part(dst, r)
		}
		return dst
	}, nil
}

// escapes are the characters after a backslash, and the percent sign after another.
var escapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '0': 0, '\\': '\\', '%': '%'}

// fields are the letters after a percent sign.
var fields = map[byte]format{
	'k': func(dst []byte, r *client.Record) []byte { return append(dst, r.Key...) },
	'v': func(dst []byte, r *client.Record) []byte { return append(dst, r.Value...) },
	'o': func(dst []byte, r *client.Record) []byte { return strconv.AppendInt(dst, int64(r.Offset), 10) },
	'p': func(dst []byte, r *client.Record) []byte { return strconv.AppendInt(dst, int64(r.Partition), 10) },
	't': func(dst []byte, r *client.Record) []byte { return append(dst, timeOf(r)...) },
	'h': func(dst []byte, r *client.Record) []byte {
		for i, h := range r.Headers {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, h.Key...), '='), h.Value...)
		}
		return dst
	},
}

func constant(text []byte) format {
	return func(dst []byte, _ *client.Record) []byte { return append(dst, text...) }
}

// timeOf prints a record's time to the millisecond, in UTC.
func timeOf(r *client.Record) string {
	return r.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z")
}

// jsonRecord is a record as --format json prints it, on one line. Bytes that are no UTF-8 stand in base64 under the other
// name; a missing key or value is null.
type jsonRecord struct {
	Topic       string       `json:"topic"`
	Partition   int32        `json:"partition"`
	Offset      int64        `json:"offset"`
	Time        string       `json:"time"`
	Key         *string      `json:"key"`
	KeyBase64   string       `json:"key_base64,omitempty"`
	Value       *string      `json:"value"`
	ValueBase64 string       `json:"value_base64,omitempty"`
	Headers     []jsonHeader `json:"headers,omitempty"`
}

type jsonHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 string  `json:"value_base64,omitempty"`
}

func appendJSON(dst []byte, r *client.Record) []byte {
	j := jsonRecord{Topic: r.Topic, Partition: r.Partition, Offset: int64(r.Offset), Time: timeOf(r)}
	j.Key, j.KeyBase64 = jsonText(r.Key)
	j.Value, j.ValueBase64 = jsonText(r.Value)
	for _, h := range r.Headers {
		text, coded := jsonText(h.Value)
		j.Headers = append(j.Headers, jsonHeader{Key: h.Key, Value: text, ValueBase64: coded})
	}
	var line strings.Builder
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(j); err != nil { // strings and numbers always encode
		panic(err)
	}
	return append(dst, line.String()...)
}

// jsonText returns bytes as a JSON string, or in base64 where they are no text.
func jsonText(b []byte) (text *string, coded string) {
	switch {
	case b == nil:
		return nil, ""
	case !utf8.Valid(b):
		return nil, base64.StdEncoding.EncodeToString(b)
	default:
		s := string(b)
		return &s, ""
	}
}
