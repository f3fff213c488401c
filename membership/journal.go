package membership

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// journal takes in what serf and memberlist log: all of it at debug level, because they repeat themselves at every packet
// and much is no news. Only here do they tell of strangers with another secret, or none.
type journal struct {
	log      *slog.Logger
	stranger func(address string)
}

// secretLines are the parts of their lines, and of the errors of a join, that tell of another secret.
var secretLines = []string{
	"no installed keys could decrypt the message",
	"encryption is configured but remote state is not encrypted",
	"remote state is encrypted and encryption is not configured",
	"Decrypt packet failed",
}

var fromAddress = regexp.MustCompile(`from=(\S+)`)

// Write takes one line.
func (j journal) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	if ofSecret(text) {
		if from := fromAddress.FindStringSubmatch(text); from != nil {
			j.stranger(from[1])
		}
	}
	if j.log.Enabled(context.Background(), slog.LevelDebug) {
		level := "INFO"
		if rest, found := strings.CutPrefix(text, "["); found {
			if at := strings.IndexByte(rest, ']'); at > 0 {
				level, text = rest[:at], strings.TrimSpace(rest[at+1:])
			}
		}
		j.log.Debug(text, "gossip_level", level)
	}
	return len(line), nil
}

func ofSecret(text string) bool {
	for _, part := range secretLines {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// joinError names the sentinel of a failed join where there is one. Serf's error says everything else.
func joinError(address string, err error) error {
	if ofSecret(err.Error()) {
		return fmt.Errorf("%s: %w", address, ErrSecret)
	}
	return fmt.Errorf("%s: %s", address, lastLine(err.Error()))
}

// lastLine is what an error of several attempts, listed below a headline, says of the last.
func lastLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	return strings.TrimLeft(lines[len(lines)-1], "\t *")
}
