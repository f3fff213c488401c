// Package batch reads, checks, stamps and builds record batches: the one unit in which records travel, are stored and are
// served. The format is Kafka's RecordBatch v2 (magic 2), so that every language has tools for it.
//
// It is a leaf: it imports no room but partitions/id, reads no clock, starts no goroutine and holds no lock. The same bytes
// give the same answer everywhere. What is asked for per record (Append, and walking an uncompressed body) does not
// allocate.
//
// Invariants:
//   - Nothing that Validate accepted makes Decode fail.
//   - The base offset and the term stand outside the checksum: Stamp changes no other byte, so the leader never touches a
//     producer's records.
//   - No input makes a reader take more memory than the input's size plus the cap it was given.
//
// Start reading at header.go, where the bytes are drawn; then record.go, validate.go and builder.go.
package batch
