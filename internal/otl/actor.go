package otl

import (
	"maps"
	"slices"
)

// ActorKind is what kind of somebody did something.
type ActorKind string

// Who can do something.
const (
	ActorPerson  ActorKind = "person"
	ActorSiteKey ActorKind = "site_key"
	ActorClient  ActorKind = "client"
	ActorCommand ActorKind = "command" // of whoever may use the command line
	ActorSystem  ActorKind = "system"  // a job of the server
	ActorAnybody ActorKind = "anybody" // a request that proved nobody
)

// Actor is who did something.
type Actor struct {
	Kind ActorKind
	ID   string // of the person, key or client; the operating system's user for a command
}

// String gives kind and id as one word, such as "person:01HKZ…".
func (a Actor) String() string {
	if a.ID == "" {
		return string(a.Kind)
	}
	return string(a.Kind) + ":" + a.ID
}

// Change is one member of something before and after.
type Change struct {
	Field  string
	Before string
	After  string
}

// Changes gives the members in which two states differ, by name. A state that was
// not there yet, or is not any more, is nil.
func Changes(before, after map[string]string) []Change {
	names := map[string]bool{}
	for _, state := range []map[string]string{before, after} {
		for name := range state {
			names[name] = names[name] || before[name] != after[name]
		}
	}
	var out []Change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] {
			out = append(out, Change{name, before[name], after[name]})
		}
	}
	return out
}

// Actor gives who makes a request, as far as it was proven by now.
func (r *Request) Actor() Actor {
	switch {
	case r.By.Kind != "":
		return r.By
	case r.ID == "":
		return Actor{Kind: ActorSystem}
	case r.UserID != "":
		return Actor{ActorPerson, r.UserID}
	}
	return Actor{Kind: ActorAnybody}
}
