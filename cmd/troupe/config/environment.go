package config

import (
	"regexp"
	"slices"
	"strings"
)

const environmentPrefix = "TROUPE_"

// otherVariables have our prefix and another meaning: they belong to commands that talk to a broker, or name the file.
var otherVariables = []string{"TROUPE_BROKER", "TROUPE_CONFIG"}

// injected are the variables that Kubernetes sets in every container for a service named troupe or troupe-something. Whoever
// runs a broker there has not chosen them.
var injected = regexp.MustCompile(`_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// readEnvironment reads the variables TROUPE_SECTION_KEY. An empty one counts: it sets the empty text.
func readEnvironment(environment []string) ([]Assignment, error) {
	var found []Assignment
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, environmentPrefix) || slices.Contains(otherVariables, name) || injected.MatchString(name) {
			continue
		}
		i := slices.IndexFunc(table, func(s Setting) bool { return s.Environment() == name })
		if i < 0 {
			return nil, wrong("environment "+name, "there is no such setting; the nearest is %s", nearestVariable(name))
		}
		found = append(found, Assignment{Name: table[i].Name, Value: value, From: "environment " + name})
	}
	return found, nil
}
