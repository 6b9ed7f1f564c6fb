package outbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
)

// ErrRefused is wrapped by what no further try at the same provider can mend: a letter that it does not take.
// Another one may.
var ErrRefused = errors.New("refused")

// ErrAddress is wrapped by a refusal of whom a letter is for, such as a mailbox that does not exist: no other
// provider could do better, and to have several try tells the world that we do not know our people.
var ErrAddress = fmt.Errorf("address %w", ErrRefused)

// errRelay is wrapped by a refusal to relay to an address, which is ours to mend, or of this one address alone.
var errRelay = errors.New("not relayed")

// refuse notes in a message that a provider refused it, with so many bytes of what it said.
func refuse(m *otl.Message, who string, err error, most int) {
	said := strings.TrimPrefix(err.Error(), ErrRefused.Error()+": ")
	m.RefusedBy = append(m.RefusedBy, otl.Refusal{By: who, Said: cut(said, most)})
}

// refusedBefore is the error of a provider that refused a message at an earlier try, and nil of any other.
func refusedBefore(m otl.Message, who string) error {
	for _, before := range m.RefusedBy {
		switch {
		case before.By != who:
		case before.Said == "":
			return fmt.Errorf("%w at an earlier try", ErrRefused)
		default:
			return fmt.Errorf("%w at an earlier try: %s", ErrRefused, before.Said)
		}
	}
	return nil
}

// discretion is an error that says less than the one it wraps.
type discretion struct {
	error
	said string
}

// Error implements error.
func (d discretion) Error() string { return d.said }

// Unwrap gives the error itself, for what it is rather than what it says.
func (d discretion) Unwrap() error { return d.error }

// discreet gives an error of a provider without what opens something in the message: some repeat what they were sent, and
// errors are kept, listed and logged (OT-23). Of a text that was cut also what a secret begins with goes from its end,
// from three characters on: fewer are often the end of something else, as of a reply code.
func discreet(m otl.Message, err error) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	for _, member := range []string{message.DataCode, message.DataToken, message.DataLink} {
		secret := m.Data[member]
		secret = secret[strings.LastIndexByte(secret, '/')+1:] // of a link what all spellings have
		if secret == "" {
			continue
		}
		said = strings.ReplaceAll(said, secret, "…")
		for n := len(secret) - 1; n > 2; n-- {
			if rest, cut := strings.CutSuffix(said, secret[:n]); cut {
				said = rest + "…"
				break
			}
		}
	}
	return discretion{err, said}
}

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

// heldBack gives when a message can go that waits for nothing but the cap of a provider, and whether it does. Where others
// failed it is tried again sooner; once it was as often as any, what remains is that cap.
func heldBack(err error, tried bool) (full usedUp, is bool) {
	if errors.As(err, &full) {
		return full, true
	}
	var all faults
	if !tried || errors.Is(err, ErrRefused) || !errors.As(err, &all) {
		return full, false
	}
	for _, one := range all {
		if errors.As(one.err, &full) {
			return full, true
		}
	}
	return full, false
}

// Unwrap gives what decides over the message: what was said of its address; else what those said that failed, which
// are tried again soon; else those that have as many as their caps allow; and where there are none of either, the refusals.
func (all faults) Unwrap() []error {
	var failed, full, refused []error
	for _, one := range all {
		switch {
		case errors.Is(one.err, ErrAddress):
			return []error{one.err}
		case errors.Is(one.err, ErrRefused):
			refused = append(refused, one.err)
		case errors.As(one.err, new(usedUp)):
			full = append(full, one.err)
		default:
			failed = append(failed, one.err)
		}
	}
	for _, said := range [][]error{failed, full} {
		if len(said) > 0 {
			return said
		}
	}
	return refused
}
