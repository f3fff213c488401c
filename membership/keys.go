package membership

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// exchangeKeys makes a ring hold exactly these keys, the first in use, while gossip goes on. keys is not empty.
//
// The ring hands its slice to readers without a copy and removes a key by shifting the rest within it: only the last key
// can be removed without a reader seeing the shift, so those to remove are brought there first.
func exchangeKeys(ring *memberlist.Keyring, keys [][]byte) error {
	for _, key := range keys {
		if err := ring.AddKey(slices.Clone(key)); err != nil {
			return fmt.Errorf("%w: %w", ErrOption, err)
		}
	}
	use := func(key []byte) {
		if err := ring.UseKey(key); err != nil {
			panic("membership: a key that was just added is not on the ring")
		}
	}
	use(keys[0])
	unwanted := func(key []byte) bool {
		return !slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
	}
	for {
		held := ring.GetKeys()
		if !slices.ContainsFunc(held, unwanted) {
			return nil
		}
		if last := held[len(held)-1]; !unwanted(last) {
			use(last) // for a moment the second instead of the last
			use(keys[0])
		} else if err := ring.RemoveKey(last); err != nil {
			return err
		}
	}
}
