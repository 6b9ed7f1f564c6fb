package config

import "strings"

// Find gives the key of a path or a variable, or an error with the name that
// was probably meant.
func Find(name string) (Key, error) {
	keys := Keys()
	for _, k := range keys {
		if k.Path == name || k.Env == name || k.Secret && k.Env+fileSuffix == name {
			return k, nil
		}
	}
	known := paths(keys)
	if strings.HasPrefix(name, "OTL_") {
		known = variables(keys)
	}
	return Key{}, &Error{Key: name, Text: "is not a setting" + suggest(name, known)}
}

// suggest gives ": did you mean X?" for the closest known name, or where to
// find them all.
func suggest(given string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if d := editDistance(given, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return "; list them with: otl config env"
	}
	return ": did you mean " + best + "?"
}

// editDistance counts the single characters to insert, delete or replace to
// make b of a (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		last := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := last
			if a[i-1] != b[j-1] {
				cost++
			}
			last = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
