package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Kind is what the values of a setting are, and how they are written.
type Kind string

// The kinds; each is the word that the help shows.
const (
	Path            Kind = "PATH"
	OptionalPath    Kind = "[PATH]"
	Address         Kind = "HOST:PORT"
	OptionalAddress Kind = "[HOST:PORT]"
	Host            Kind = "HOST"
	Seeds           Kind = "HOST[:PORT],..."
	Name            Kind = "NAME"
	Bytes           Kind = "BYTES" // 1048576, 1MiB
	Reserve         Kind = "auto|BYTES"
	Rate            Kind = "off|BYTES"
	Duration        Kind = "DURATION" // 50ms, 10s, 7d
	Millis          Kind = "TIME"     // a Duration in whole milliseconds
	Count           Kind = "COUNT"
	OptionalCount   Kind = "[COUNT]"
	Switch          Kind = "true|false"
	Level           Kind = "debug|info|warn|error"
	Format          Kind = "auto|text|json"
)

func (k Kind) readText(text string, into *string) error {
	switch k {
	case Path:
		if text == "" {
			return errors.New("it must not be empty")
		}
	case Address, OptionalAddress:
		if text == "" && k == OptionalAddress {
			break
		}
		_, port, err := net.SplitHostPort(text)
		if number, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || number > math.MaxUint16 {
			return errors.New("write it as HOST:PORT, such as 127.0.0.1:9642")
		}
	case Host:
		if strings.ContainsAny(text, ",/ ") || strings.Contains(text, ":") && net.ParseIP(text) == nil {
			return errors.New("write it as a host or an IP address without a port, such as 10.0.0.5")
		}
	case Seeds:
		if slices.Contains(strings.Split(text, ","), "") && text != "" || strings.ContainsAny(text, "/ ") {
			return errors.New("write it as HOST or HOST:PORT, several with commas between them, such as 10.0.0.5,10.0.0.6:9644")
		}
	case OptionalPath, Name:
	default:
		if words := strings.Split(string(k), "|"); !slices.Contains(words, text) {
			return fmt.Errorf("it can be %s", strings.Join(words, ", "))
		}
	}
	*into = text
	return nil
}

func readSwitch(text string, into *bool) error {
	value, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("it can be true or false")
	}
	*into = value
	return nil
}

func switchText(on bool) string { return strconv.FormatBool(on) }

// readNumber reads a positive number. None but an OptionalCount may be written as 0: to the rooms that means their default.
func (k Kind) readNumber(text string, into *int) error {
	switch k {
	case Reserve:
		n, err := humanize.ParseBytes(text)
		if text == "auto" {
			n, err = 0, nil
		} else if err != nil || n == 0 || n > math.MaxInt64/2 {
			return errors.New("write it as auto, or as a number of bytes from 1, such as 1GiB")
		}
		*into = int(n)
	case Rate:
		n, err := humanize.ParseBytes(text)
		if text == "off" {
			n, err = 0, nil
		} else if err != nil || n == 0 || n > math.MaxInt32 {
			return errors.New("write it as off, or as a number of bytes from 1 to 2147483647, such as 4MiB")
		}
		*into = int(n)
	case Bytes:
		n, err := humanize.ParseBytes(text)
		if err != nil || n == 0 || n > math.MaxInt32 {
			return errors.New("write it as a number of bytes from 1 to 2147483647, such as 1048576 or 1MiB")
		}
		*into = int(n)
	case Millis:
		var d time.Duration
		if err := readDuration(text, &d); err != nil {
			return err
		}
		if d < time.Millisecond || d/time.Millisecond > math.MaxInt32 {
			return errors.New("it must be at least 1ms and at most 24 days")
		}
		*into = int(d / time.Millisecond)
	default:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 && (n != 0 || k != OptionalCount) {
			return errors.New("write it as a number from 1 to 2147483647")
		}
		*into = int(n)
	}
	return nil
}

// zeroWords stand for 0, where it is a choice of its own.
var zeroWords = map[Kind]string{Reserve: "auto", Rate: "off"}

// numberText writes bytes in the largest unit that takes a whole number of them.
func (k Kind) numberText(n int) string {
	switch k {
	case Bytes, Reserve, Rate:
		if word, ok := zeroWords[k]; ok && n == 0 {
			return word
		}
		for _, unit := range []struct {
			name string
			size int
		}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
			if n > 0 && n%unit.size == 0 {
				return strconv.Itoa(n/unit.size) + unit.name
			}
		}
	case Millis:
		return durationText(time.Duration(n) * time.Millisecond)
	}
	return strconv.Itoa(n)
}

const day = 24 * time.Hour

// readDuration reads Go's durations, and whole days: 7d.
func readDuration(text string, into *time.Duration) error {
	var value time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		value = time.Duration(n) * day
	} else {
		value, err = time.ParseDuration(text)
	}
	if err != nil || value <= 0 {
		return errors.New("write it as a time above zero, such as 50ms, 10s, 5m or 7d")
	}
	*into = value
	return nil
}

// durationText writes a duration in the largest unit that takes a whole number of it: 10m, not 10m0s.
func durationText(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if d%unit.size == 0 {
			return strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		}
	}
	return d.String()
}
