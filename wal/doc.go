// Package wal remembers: a replica's entries, its vote and its checkpoints, in files that carry checksums, verified at
// every read. It is the only room that touches log files and the only one that imports tidwall/wal, around which it adds
// what that library lacks: checksums, repair, fsyncs of directories, safe truncation and reads beside a writer.
//
// It never decides what to write, reads no clock, draws no random number (but a node id, from a source it is given),
// starts no goroutine, and never changes a byte of a log that is damaged but to give back what is missing.
//
// # The crash argument
//
// What is assumed of the disk: an fsync that returned makes the file's bytes durable; an fsync of a directory its names;
// a rename is atomic; whatever was not fsynced may be there, missing, cut, or zero, page by page and in any order; a write
// to one 4 KiB block leaves the others alone. Nothing is assumed about what a failed fsync left.
//
//   - Acknowledged means: frames fsynced, the directory fsynced if a segment began, and then reported by Sync. Before the
//     directory is fsynced, nothing in a new segment is reported.
//   - Every frame carries synced, the highest index known durable when it was written; slots carry it too. At opening the
//     highest of all that verify is the durable index. It is never above what was really durable, because it is only ever
//     set after Sync, and lowered durably before anything is cut.
//   - So the first bad frame above it belongs to a write that was never reported: a tear, cut off (repair.go). A bad frame
//     at or below it was reported once: damage, which is never cut, never served and never hidden. The log then opens for
//     reading only.
//   - It can be below what was durable only by the last group commit, if neither a slot write nor a later frame reached
//     the disk: damage to exactly that commit, together with a power failure before the scratch slot was written back,
//     reads as a tear. This is the stated limit; a second fsync per commit would be the price of closing it.
//   - Term and vote go to the slot that is not the newest durable one and are fsynced before Sync returns. A torn write
//     leaves the other; the scratch slot repeats what was fsynced, so that damage to any one slot loses nothing.
//   - After a failed write or fsync the log is poisoned. The next opening in this process believes nothing above the
//     durable index and copies the last segment to a new file. An opening in another process cannot know; it writes again
//     whatever it believes above the durable index, and the hard state, before it fsyncs, because the pages may have been
//     marked clean. A failed opening poisons nothing: what a killed process acknowledged may lie above the highest index
//     known durable, and a repair writes only what was read; the next opening repairs anew.
//   - A snapshot replaces a log by one slot write (install.go). Before that slot is durable the snapshot's file is a leftover
//     and the old log stands whole, its slots and checkpoints untouched. From then on only that file counts, under either of
//     its two names, whatever else is still in the directory, because the slot says that it is being installed; finishing
//     only removes, renames and creates, reads nothing of what it removes, and can be begun anew any number of times. So an
//     old checkpoint never stands beside a new log, nor a new one beside an old log. Nothing is written behind the snapshot,
//     nor anything of it reported, before the names are durable and then a hard state file whose slots all say that the log
//     has begun: none is left, not even a scratch slot that a power loss brings back, by which the next opening would wipe
//     what was acknowledged since.
//   - Term and vote of the write that brings the snapshot are in that same slot, and in every slot written since. It goes to
//     the place that does not hold the newest durable one, so that a torn one leaves term and vote as they were.
//   - A log without a checkpoint has forgotten, unless its slots say that it is empty: they do from its birth until its first
//     snapshot is installed. Anything else in an empty log contradicts them, and is damage.
//   - A hole is filled by whole files (fill.go): what verified is copied byte by byte, what a peer gave is held to the terms and
//     offsets around it, and the new file takes the name of the old one when it is durable. A crash leaves the hole or what
//     fills it, segment by segment. The hard state is not touched, for it tells of nothing new; what has been forgotten, an
//     end or a vote, is never filled, because no peer knows what this replica promised.
//   - An epoch of the cluster (epoch.go) is on disk before a log of it begins, with a mark that keeps brokers out until that log
//     is whole; and it is adopted only after the replicas that were of an earlier one are removed. So none of theirs is ever
//     opened in it, nor does a broker speak of an epoch that a power loss takes back.
//   - Names: a replica's directory is complete and durable before it gets its name, has its name before it is registered,
//     and is registered before its id is used. A registered id without its directory has forgotten (amnesia).
//
// # Why an accepted loss gives no offset twice
//
// A log whose damage is accepted (`troupe log repair --accept-loss`, one replica that votes alone) goes on with a gap in place
// of each entry that is lost, so that indices stay consecutive and offsets dense in entries. The next offset after the repair
// is at or above every offset that anybody can have been told of:
//
//   - An offset is told when its entry is durable. So it lies in an entry that verifies, or in a lost one. The log keeps every
//     entry that verifies, in its place.
//   - A hole with something behind it that tells offsets (a batch, an older gap, a checkpoint) ends exactly where that begins:
//     offsets were dense when they were given. A hole is parted at a checkpoint, for a restart from it must find the log there.
//   - A hole with nothing of that kind behind it, but the end of the log, takes 2³¹ offsets for each of its entries: no batch
//     can count more.
//   - Where the end itself is in doubt (it lies below what is known durable, or no hard state tells what was), more entries may
//     have been durable than anything knows: those of the last group commit. The last hole takes 2³¹ offsets for as many
//     entries as one can hold, and the term rises above as many elections. That covers whatever the limit stated above
//     covers. A log whose end cannot be told from a tear is no matter for a repair.
//   - Where that reckoning has no ground to start from (no checkpoint, no directory) or no offset left, the repair is refused.
//     So it is for a replica with peers, which are whole where this one is not, and whose entries a gap must not replace. A
//     lost entry may have given it some: the catalog is asked, too (cmd/troupe).
//
// What was given up is told: a reader goes on behind the gap and learns its bounds. What the lost entries did besides can come
// undone with them: a log start that no checkpoint holds yet, and what was known of producers. What was found is moved aside
// whole, and is never changed.
//
// # Where to start
//
// frame.go draws the bytes, repair.go decides between tear and damage; both are pure, and simulation's disk uses them.
// log.go writes, cut.go truncates, front.go drops what was deleted, install.go replaces it all by a snapshot, fill.go
// puts back what was damaged (mending.go decides), rest.go lets go of memory, open.go repairs, reader.go reads, scrub.go
// verifies what nobody reads. inspect.go looks at logs at rest, loss.go tells what their damage costs, salvage.go repairs them.
// directory.go and replicas.go hold the logs of a broker; register.go and identity.go what must outlive them; epoch.go is for the
// day on which the catalog is lost.
package wal
