// Package protocol is the language that clients and brokers speak over TCP: frames of msgpack, one pair of messages for
// each API, one table of errors. Both ends use it: gateway and gateway/client.
//
// It never touches a socket, a clock or a broker, and never decodes into a value without a schema. PROTOCOL.md beside this
// file is the reference for people who write a client in another language; a test holds it to the codec.
//
// What holds:
//   - No byte reaches msgpack before guard has walked the whole frame: depth, counts and the number of elements are bounded,
//     nothing trails. So decoding can neither recurse nor allocate without bound.
//   - Decoding copies strings, and nothing else: batches, and the keys and values of records, are slices of the frame.
//     Whoever receives a frame must not use its memory again while a message decoded from it is in use.
//   - Encoding does not copy batches: a Frame is a list of slices, ready for writev.
//   - Unknown keys are ignored; a nil value is a missing key; a missing key has its default or is an error naming it; a
//     wrong type is an error naming the key.
//
// Start reading at frame.go, then ping.go and produce.go for the shape of every message; guard.go for safety.
package protocol
