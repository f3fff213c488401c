// Package remote links brokers.
package remote
