package catalog

// Nearest returns the name that takes the fewest edits to reach from name; the first of several, and "" among none. It is
// for messages: whoever mistypes a name wants to see the one that was meant.
func Nearest(name string, among []string) string {
	best, least := "", int(^uint(0)>>1)
	for _, candidate := range among {
		if d := edits(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// edits counts the insertions, deletions and replacements of bytes between a and b (Levenshtein), of a's first 64 bytes.
func edits(a, b string) int {
	a = a[:min(len(a), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
