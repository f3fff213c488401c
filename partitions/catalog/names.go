package catalog

import (
	"fmt"
	"strings"

	"troupe/partitions/id"
)

// internalPrefix marks the broker's own topics.
const internalPrefix = "__"

// validName checks the name of a user's topic. The rules are Kafka's, so that names move freely between the two.
func validName(name id.Topic) error {
	switch {
	case name == "":
		return fmt.Errorf("a topic needs a name: %w", ErrInvalidName)
	case len(name) > MaxNameBytes:
		return fmt.Errorf("topic name of %d bytes, allowed are %d: %w", len(name), MaxNameBytes, ErrInvalidName)
	case name == "." || name == "..":
		return fmt.Errorf("topic %q names a directory: %w", name, ErrInvalidName)
	case strings.HasPrefix(string(name), internalPrefix):
		return fmt.Errorf("topic %q: names that begin with %q are the broker's own: %w", name, internalPrefix, ErrInvalidName)
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return fmt.Errorf("topic %q: byte %q at %d, allowed are letters, digits, '.', '_' and '-': %w",
				name, name[i], i, ErrInvalidName)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}
