package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// readFile reads the settings of a YAML file: sections that hold keys, or dotted names.
//
// It walks the document's nodes, because they alone know on which line a key stands.
func readFile(name string) ([]Assignment, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("the configuration: %w; see --config and TROUPE_CONFIG", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // empty, or nothing but comments
	case err != nil:
		return nil, wrong(name, "it is not YAML: %v", err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, wrong(name, "it holds more than one document; only one is read")
	}
	f := &file{name: name, lines: map[string]int{}}
	if err := f.walk("", document.Content[0]); err != nil {
		return nil, err
	}
	return f.found, nil
}

// file is a document being walked.
type file struct {
	name  string
	lines map[string]int // where each setting stands
	found []Assignment
}

func (f *file) at(line int) string { return fmt.Sprintf("%s:%d", f.name, line) }

// walk takes what stands under a name: "" is the document itself.
func (f *file) walk(name string, node *yaml.Node) error {
	switch {
	case node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			below := key.Value
			if name != "" {
				below = name + "." + key.Value
			}
			if err := f.walk(below, node.Content[i+1]); err != nil {
				return err
			}
		}
		return nil
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null" && (name == "" || isSection(name)):
		return nil // everything below is commented out
	case node.Kind == yaml.ScalarNode && name != "":
		if line, twice := f.lines[name]; twice {
			return wrong(f.at(node.Line), "%s stands on line %d already", name, line)
		}
		f.lines[name] = node.Line
		f.found = append(f.found, Assignment{Name: name, Value: node.Value, From: f.at(node.Line)})
		return nil
	case name == "":
		return wrong(f.at(node.Line), "the file must hold sections and their settings, such as `gateway: {address: 127.0.0.1:9642}`")
	}
	return wrong(f.at(node.Line), "%s must be one value, not a list or a reference", name)
}
