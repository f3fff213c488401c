// Package config knows the settings of a broker: their names, units and defaults, where each may be given (a YAML file, the
// environment, flags), and which source decided. It opens no port and starts nothing.
//
// What holds:
//   - Every setting is one line of the table in setting.go. The file, the environment, the flags, `troupe config show` and
//     the help follow from that line.
//   - Defaults < file < environment < flags: the last source that names a setting decides.
//   - A name that no setting has is an error that tells the nearest one and where it stands; a value that cannot be meant is
//     one that tells what can.
//
// Topic settings are not here: they live in the catalog and change without a restart.
//
// Start reading at setting.go, then load.go.
package config
