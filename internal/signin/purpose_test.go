package signin_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// purposes gives every purpose there is, as the source names them.
func purposes(t *testing.T) (all []otl.Purpose) {
	t.Helper()
	raw, err := os.ReadFile("../otl/ticket.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Purpose = "([a-z_]+)"`).FindAllStringSubmatch(string(raw), -1) {
		all = append(all, otl.Purpose(m[1]))
	}
	if len(all) < 14 {
		t.Fatalf("only %d purposes: %v", len(all), all)
	}
	return all
}

// TestOT11_ASecretIsOfOnePurposeAndSite: for every pair of purposes, and of sites, what is
// good for one is nothing for the other, by whichever statement it is looked for, and the
// same digits have other digests.
func TestOT11_ASecretIsOfOnePurposeAndSite(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		jane, joe := w.Person(t, "jane@dev.test"), w.Person(t, "joe@dev.test")
		now, all, sites := w.Clock.Now(), purposes(t), []string{w.Notes.Site.ID, w.Shop.Site.ID}
		digest := func(p otl.Purpose, site string) []byte { return secret.Digest(string(p) + site) }
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			for _, p := range all {
				for _, site := range sites {
					one := otl.Ticket{ID: secret.NewID(now), Purpose: p, UserID: jane.ID, SiteID: site, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
					if err := tx.Tickets.Insert(ctx, one, digest(p, site), secret.CodeDigest(w.Codes.Key, "123456", one.ID)); err != nil {
						return err
					}
				}
			}
			return nil
		})
		write(t, w, func(ctx context.Context, tx *store.Tx) error {
			for _, is := range all {
				for _, as := range all {
					for _, site := range sites {
						if is != as {
							nothing(t, ctx, tx, as, digest(is, site), now)
						}
						got, _, err := tx.Tickets.Guess(ctx, jane.ID, as, site, "", now, 1000, nil)
						if err != nil || got.Purpose != as || got.SiteID != site {
							t.Errorf("a guess at %s of %s is one at %s of %s: %v", as, site, got.Purpose, got.SiteID, err)
						}
						if _, _, err := tx.Tickets.Guess(ctx, joe.ID, as, site, "", now, 1000, nil); !errors.Is(err, store.ErrNotFound) {
							t.Errorf("somebody else's %s: %v", as, err)
						}
					}
				}
			}
			return nil
		})
		var bound [][]byte // to what a code is for
		for _, p := range all {
			for _, site := range sites {
				for _, u := range []string{jane.ID, joe.ID} {
					for _, id := range []string{"a", "b"} {
						bound = append(bound, secret.CodeDigest(w.Codes.Key, "123456", id, u, string(p), site))
					}
				}
			}
		}
		for i := range bound {
			for j := range i {
				if bytes.Equal(bound[i], bound[j]) {
					t.Fatalf("two codes have one digest: %d and %d", i, j)
				}
			}
		}
	})
}

// nothing fails the test where a secret of another purpose is something for this one.
func nothing(t *testing.T, ctx context.Context, tx *store.Tx, p otl.Purpose, digest []byte, now time.Time) {
	t.Helper()
	for name, look := range map[string]func() (otl.Ticket, error){
		"Live":       func() (otl.Ticket, error) { return tx.Tickets.Live(ctx, p, digest, now) },
		"Use":        func() (otl.Ticket, error) { return tx.Tickets.Use(ctx, p, digest, now) },
		"Try":        func() (otl.Ticket, error) { return tx.Tickets.Try(ctx, p, digest, now, 1000) },
		"Any":        func() (otl.Ticket, error) { return tx.Tickets.Any(ctx, p, digest) },
		"Spent":      func() (otl.Ticket, error) { return tx.Tickets.Spent(ctx, p, digest) },
		"Crossed":    func() (otl.Ticket, error) { return tx.Tickets.Crossed(ctx, p, digest, now) },
		"UseCrossed": func() (otl.Ticket, error) { return tx.Tickets.UseCrossed(ctx, p, digest, now) },
	} {
		if got, err := look(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s takes a %s for a %s: %v", name, got.Purpose, p, err)
		}
	}
}
