package outbox

import (
	"errors"
	"strings"
)

// fault is why a provider did not take a message.
type fault struct {
	provider string
	err      error
}

// faults are those of all providers of a channel, in the order in which they were asked.
type faults []fault

// Error names each provider with its fault. Each has the same share of what is kept of a problem, so
// that a provider which says much leaves room for the others.
func (all faults) Error() string {
	said := make([]string, len(all))
	for i, one := range all {
		said[i] = cut(one.provider+": "+one.err.Error(), maxProblem/len(all)-len("; "))
	}
	return strings.Join(said, "; ")
}

// Unwrap gives what those said that failed, which is tried again soon, or all where none did: they have
// as many as their caps allow.
func (all faults) Unwrap() []error {
	var said, full []error
	for _, one := range all {
		if errors.As(one.err, new(usedUp)) {
			full = append(full, one.err)
		} else {
			said = append(said, one.err)
		}
	}
	if len(said) == 0 {
		return full
	}
	return said
}
