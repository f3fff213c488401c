// Package id holds the distinct types by which the rooms name things, so that an offset is never passed for an index nor
// a node for a replica.
//
// It is a leaf: it imports no room and decides nothing. Every room may import it.
package id
