package simulation

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
)

// powerLoss leaves of every file and name what the disk happens to have, and returns it as a volume at rest: what is changed
// there, is changed here. Unlike those of the twin's volume, the changes of a directory's names survive in any order: wal
// assumes nothing else.
func (m *Mirror) powerLoss(random *rand.Rand, plan *Plan, broker string) *Volume {
	m.top.powerLoss(random, plan, broker+", ", "")
	v := NewVolume()
	m.top.flatten("", v.files)
	v.durable = maps.Clone(v.files)
	return v
}

func (p *inode) powerLoss(random *rand.Rand, plan *Plan, broker, path string) {
	if p.file != nil {
		p.file.powerLoss(random, plan, broker+path)
		return
	}
	changes := p.changes()
	random.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	keep := random.IntN(len(changes) + 1)
	for i, c := range changes {
		if i >= keep && plan.strike(p.loss(c), broker+filepath.Join(path, c.name)) {
			continue
		}
		if c.inode != nil && c.was != "" && p.durable[c.was] == c.inode {
			delete(p.durable, c.was)
		}
		if c.inode == nil {
			delete(p.durable, c.name)
		} else {
			p.durable[c.name] = c.inode
		}
	}
	p.names = maps.Clone(p.durable)
	for _, name := range sortedKeys(p.names) {
		p.names[name].powerLoss(random, plan, broker, filepath.Join(path, name))
	}
}

// loss is what it is when a change does not survive.
func (p *inode) loss(c renamed) Fault {
	if c.was == "" && c.inode != nil && p.durable[c.name] == nil {
		return FaultLostCreate
	}
	return FaultLostRename
}

// renamed is what happened to a name since its directory was last synced: it leads to another inode, or to none.
type renamed struct {
	name  string
	inode *inode
	was   string // the durable name of the inode; empty where it has none
}

// changes lists what happened to a directory's names, in the order of these.
func (p *inode) changes() []renamed {
	was := map[*inode]string{}
	for name, inside := range p.durable {
		was[inside] = name
	}
	moved := map[string]bool{}
	var changes []renamed
	for _, name := range sortedKeys(p.names) {
		if inside := p.names[name]; p.durable[name] != inside {
			changes = append(changes, renamed{name, inside, was[inside]})
			moved[was[inside]] = true
		}
	}
	for _, name := range sortedKeys(p.durable) {
		if p.names[name] == nil && !moved[name] { // a rename takes the old name away in the same moment
			changes = append(changes, renamed{name: name})
		}
	}
	return changes
}

// flatten lists all files by their paths.
func (p *inode) flatten(path string, files map[string]*file) {
	for name, inside := range p.names {
		if at := filepath.Join(path, name); inside.file != nil {
			files[at] = inside.file
		} else {
			inside.flatten(at, files)
		}
	}
}
