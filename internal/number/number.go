package number

import (
	"context"
	"errors"
	"math"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Kind says what a number stands for. A number of one kind is none of another.
type Kind string

// The kinds.
const (
	Account Kind = "account" // a site
	User    Kind = "user"    // a person
	Device  Kind = "device"  // a second factor
	Role    Kind = "role"    // a role of a site

	Attribute Kind = "attribute" // a name of what a site keeps of people
)

// Numbers gives numbers and finds what they stand for.
type Numbers struct{ Store *store.Store }

// Of gives the number of a thing: 1 or more, below 2^31, the same for ever. It is
// given at the first question and never to anything else.
func (s *Numbers) Of(ctx context.Context, k Kind, ref string) (int, error) {
	all, err := s.All(ctx, k, []string{ref})
	if err != nil {
		return 0, err
	}
	return all[0], nil
}

// All gives the numbers of several things, in their order. Those that have none yet get theirs in one
// transaction.
func (s *Numbers) All(ctx context.Context, k Kind, refs []string) ([]int, error) {
	out := make([]int, len(refs))
	var fresh []int // places of those without one
	for i, ref := range refs {
		var err error
		if out[i], err = s.Store.Read.Numbers.Of(ctx, string(k), ref); errors.Is(err, store.ErrNotFound) {
			fresh = append(fresh, i)
		} else if err != nil {
			return nil, err
		}
	}
	if len(fresh) == 0 {
		return out, nil
	}
	err := s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		for _, i := range fresh {
			if out[i], err = tx.Numbers.Give(ctx, string(k), refs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Below gives what has a number and begins with a prefix of letters and digits, in the
// order in which numbers were given, with the numbers.
func (s *Numbers) Below(ctx context.Context, k Kind, prefix string) (refs []string, numbers []int, err error) {
	return s.Store.Read.Numbers.Below(ctx, string(k), prefix)
}

// Forget lets a number stand for nothing any more; what it stood for gets another one if it comes back.
func (s *Numbers) Forget(ctx context.Context, k Kind, ref string) error {
	return s.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Numbers.Forget(ctx, string(k), ref) })
}

// Ref gives what a number stands for. The error is NotFound.
func (s *Numbers) Ref(ctx context.Context, k Kind, n int) (string, error) {
	if n < 1 || n > math.MaxInt32 {
		return "", otl.NoSuch(string(k))
	}
	ref, err := s.Store.Read.Numbers.Ref(ctx, string(k), n)
	if errors.Is(err, store.ErrNotFound) {
		err = otl.NoSuch(string(k))
	}
	return ref, err
}

// Members gives the ids of the people of a site for whom some numbers stand, in no order. All other numbers are passed over,
// and it is the same work for those that stand for somebody elsewhere and for nobody.
func (s *Numbers) Members(ctx context.Context, siteID string, all []int) ([]string, error) {
	var given []int
	for _, n := range all {
		if n >= 1 && n <= math.MaxInt32 {
			given = append(given, n)
		}
	}
	return s.Store.Read.Numbers.Members(ctx, string(User), siteID, given)
}
