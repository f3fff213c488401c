package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"troupe/cmd/troupe/config"
)

// settingFlags are the flags of commands that need a broker's configuration: one for each setting that has one, --set for
// every setting, and --config for the file.
type settingFlags struct {
	file string
	set  []string
}

// register adds the flags to a command.
func (f *settingFlags) register(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.file, "config", os.Getenv("TROUPE_CONFIG"), "YAML `FILE` of settings (environment: TROUPE_CONFIG)")
	flags.StringArrayVar(&f.set, "set", nil, "any setting of 'troupe config show', as `NAME=VALUE`; may be given several times")
	for _, s := range config.Settings() {
		if s.Flag == "" {
			continue
		}
		flag := flags.VarPF(&settingValue{text: s.Default(), kind: s.Kind}, s.Flag, "", s.Description+" (environment: "+s.Environment()+")")
		if s.Kind == config.Switch {
			flag.NoOptDefVal = "true"
		}
	}
}

// settingValue is a flag that keeps what it was given until the table of settings reads it.
type settingValue struct {
	text string
	kind config.Kind
}

// Set keeps a text.
func (v *settingValue) Set(text string) error { v.text = text; return nil }

// String returns the text; before Set, the default.
func (v *settingValue) String() string { return v.text }

// Type returns the word that the help shows.
func (v *settingValue) Type() string {
	if v.kind == config.Switch {
		return "bool" // for which the help shows none
	}
	return string(v.kind)
}

// load reads the configuration that a command line, the environment and a file make together.
func (f *settingFlags) load(c *cobra.Command) (*config.Effective, error) {
	sources := config.Sources{File: f.file, Environment: os.Environ()}
	for _, pair := range f.set {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, usagef("--set %q is no setting; write it as name=value", pair)
		}
		sources.Flags = append(sources.Flags, config.Assignment{Name: name, Value: value, From: "flag --set"})
	}
	for _, s := range config.Settings() {
		if s.Flag != "" && c.Flags().Changed(s.Flag) {
			value := c.Flags().Lookup(s.Flag).Value.String()
			sources.Flags = append(sources.Flags, config.Assignment{Name: s.Name, Value: value, From: "flag --" + s.Flag})
		}
	}
	effective, err := config.Load(sources)
	if errors.Is(err, config.ErrInvalid) {
		return nil, usagef("%v", err)
	}
	return effective, err
}

// orNothing shows an empty text.
func orNothing(text string) string {
	if text == "" {
		return `""`
	}
	return text
}

func configCommand(s *session) *cobra.Command {
	return noun("config", "Look at a broker's configuration", configShowCommand(s))
}

func configShowCommand(s *session) *cobra.Command {
	var flags settingFlags
	command := &cobra.Command{
		Use:   "show",
		Short: "Show every setting of a broker, its value and where that comes from",
		Long: `Shows the settings that ` + "`troupe serve`" + ` would run with, given the same file, environment and flags. No broker is asked.

A setting is taken from the last of these that names it: its default, the file (YAML: sections that hold keys), the
environment (TROUPE_SECTION_KEY), the flags. Sizes and times take units: 512KiB, 8MiB, 50ms, 10s, 7d.`,
		Example: `  troupe config show
  troupe config show --config troupe.yaml --output json
  troupe config show --set gateway.idle_time=5m`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			effective, err := flags.load(c)
			if err != nil {
				return err
			}
			return s.showConfig(effective)
		},
	}
	flags.register(command)
	return command
}

// jsonValue is a setting in effect as --output json shows it.
type jsonValue struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	From        string `json:"from"`
	Default     string `json:"default"`
	Unit        string `json:"unit"`
	Flag        string `json:"flag,omitempty"`
	Environment string `json:"environment"`
	Description string `json:"description"`
}

func (s *session) showConfig(effective *config.Effective) error {
	var values []jsonValue
	var rows [][]string
	for _, v := range effective.Values {
		j := jsonValue{Name: v.Name, Value: v.Text, From: v.From, Default: v.Default(), Unit: string(v.Kind),
			Environment: v.Environment(), Description: v.Description}
		if v.Flag != "" {
			j.Flag = "--" + v.Flag
		}
		values = append(values, j)
		rows = append(rows, []string{v.Name, orNothing(v.Text), v.From, v.Description})
	}
	if s.output == "json" {
		return s.json(values)
	}
	return s.table([]string{"SETTING", "VALUE", "FROM", "MEANING"}, rows)
}
