// Package architecture holds no code, only the tests that keep the house in order: who may import whom, which statements a
// room may not contain, and how large, how documented and how named things are. They read the source with go/parser and
// need nothing but the standard library.
//
// Start reading at rooms_test.go: its table is the one place to change when the architecture is changed on purpose.
package architecture
