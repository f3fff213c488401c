package catalog

import (
	"math"
	"strconv"
	"strings"
)

// byteUnits are the units people write behind a number of bytes. Longer names stand before those they end in.
var byteUnits = []struct {
	name  string
	bytes int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"b", 1},
}

// parseCount reads a whole number, for bytes with an optional unit: "1048576", "1MiB", "1 MiB", "500kB". No fractions: a
// setting means one number, and everybody must read the same.
func parseCount(text, unit string) (int64, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	scale := int64(1)
	if unit == "bytes" {
		for _, u := range byteUnits {
			if number, ok := strings.CutSuffix(text, u.name); ok {
				text, scale = strings.TrimSpace(number), u.bytes
				break
			}
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/scale {
		return 0, false
	}
	return n * scale, true
}
