package wal

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"troupe/partitions"
	"troupe/partitions/id"
)

// The register of a data directory: every replica id that was ever started in it, so that an id whose log is gone is known
// to have forgotten, and is never begun anew. It is a file of records, appended and fsynced one by one; little endian:
//
//	 0       4        8         9      10     12          16        24      32
//	+-------+--------+---------+------+------+-----------+---------+-------+
//	| magic | crc32c | version | kind | zero | partition | replica | topic |
//	+-------+--------+---------+------+------+-----------+---------+-------+
//	        |        |<----------- covered by the checksum ----------------|
//
// kind: 1 created, 2 removed. A last record that does not verify is a tear: nobody was told of it. Any other one is
// damage: some id may have been forgotten.
const (
	recordVersion = 1
	recordBytes   = 32
	registerName  = "register"

	recordCreated = 1
	recordRemoved = 2
)

var recordMagic = [4]byte{0xF5, 'T', 'R', 'G'}

// Registration is what the register says of one replica id.
type Registration struct {
	Replica   id.Replica
	Partition id.Partition
	Removed   bool
}

// AppendTo appends the record to dst and returns the result.
func (r Registration) AppendTo(dst []byte) []byte {
	le := binary.LittleEndian
	at := len(dst)
	kind := byte(recordCreated)
	if r.Removed {
		kind = recordRemoved
	}
	dst = append(dst, recordMagic[:]...)
	dst = append(dst, 0, 0, 0, 0, recordVersion, kind, 0, 0)
	dst = le.AppendUint32(dst, uint32(r.Partition.Number))
	dst = le.AppendUint64(dst, uint64(r.Replica))
	dst = le.AppendUint64(dst, uint64(r.Partition.Topic))
	le.PutUint32(dst[at+4:], checksum(0, dst[at+8:]))
	return dst
}

// ParseRegister reads a register. Its records are returned also when the error unwraps to partitions.ErrDamaged: then some
// are missing. The other error is partitions.ErrNewer.
func ParseRegister(b []byte) ([]Registration, error) {
	var records []Registration
	bad := -1 // where the first record that does not verify begins
	for at := 0; at < len(b); at += recordBytes {
		r, ok, err := parseRecord(b[at:])
		if err != nil {
			return nil, fmt.Errorf("record at byte %d: %w", at, err)
		}
		if ok {
			records = append(records, r)
		} else if bad < 0 {
			bad = at
		}
	}
	if bad >= 0 && bad+recordBytes < len(b) {
		return records, fmt.Errorf("record at byte %d does not verify, and more follow: %w", bad, partitions.ErrDamaged)
	}
	return records, nil
}

func parseRecord(b []byte) (r Registration, ok bool, err error) {
	le := binary.LittleEndian
	if len(b) < recordBytes {
		return Registration{}, false, nil
	}
	b = b[:recordBytes]
	if [4]byte(b) != recordMagic || le.Uint32(b[4:]) != checksum(0, b[8:]) {
		return Registration{}, false, nil
	}
	if b[8] != recordVersion || b[9] < recordCreated || b[9] > recordRemoved || b[10] != 0 || b[11] != 0 {
		return Registration{}, false, fmt.Errorf("version %d, kind %d: %w", b[8], b[9], partitions.ErrNewer)
	}
	return Registration{
		Replica:   id.Replica(le.Uint64(b[16:])),
		Partition: id.Partition{Topic: id.TopicID(le.Uint64(b[24:])), Number: int32(le.Uint32(b[12:]))},
		Removed:   b[9] == recordRemoved,
	}, true, nil
}

// register is an open register.
type register struct {
	sys  system
	file *os.File
	size int64
	ids  map[id.Replica]Registration
	// refused is why nothing can be added: damage, or a failed write, after which its end is uncertain.
	refused error
}

// openRegister reads the register of a data directory and writes it anew, so that a torn record is gone and every other
// one certainly durable. A damaged one is left as it is, and nothing is added to it.
func openRegister(sys system, directory string) (*register, error) {
	path := filepath.Join(directory, registerName)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &register{sys: sys, ids: make(map[id.Replica]Registration)}
	records, err := ParseRegister(b)
	if err != nil {
		r.refused = fmt.Errorf("%s: %w", path, err)
		if records == nil {
			return nil, r.refused
		}
	}
	var whole []byte
	for _, record := range records {
		r.ids[record.Replica] = record
		whole = record.AppendTo(whole)
	}
	if r.refused == nil {
		if err := replaceFile(sys, path, whole); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	r.size = int64(len(whole))
	r.file, err = os.OpenFile(path, os.O_WRONLY, 0)
	return r, err
}

// add makes a record durable.
func (r *register) add(record Registration) error {
	if r.refused != nil {
		return r.refused
	}
	err := r.sys.writeAt(r.file, record.AppendTo(nil), r.size)
	if err == nil {
		err = r.sys.syncFile(r.file)
	}
	if err != nil {
		r.refused = fmt.Errorf("%s: %w: %w; restart the broker", r.file.Name(), partitions.ErrPoisoned, err)
		return r.refused
	}
	r.size += recordBytes
	r.ids[record.Replica] = record
	return nil
}
