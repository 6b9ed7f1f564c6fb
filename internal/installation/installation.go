package installation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Options are what an installation depends on and how its keys live.
type Options struct {
	Store  *store.Store
	Master secret.Master
	Now    func() time.Time
	Log    *slog.Logger

	Algorithm token.Algorithm // of new signing keys
	Rotation  time.Duration   // how long one key signs
	AccessTTL time.Duration   // how long a token lives at most

	// Serve makes and deletes signing keys as they fall due. A command leaves it
	// false and makes at most the first: it may have been started with other
	// settings than the servers.
	Serve bool
}

// Installation is the server as a party of its own.
type Installation struct {
	SiteID   string      // of the first-party site
	Ring     *token.Ring // of access tokens
	Identity *token.Ring // of the tokens of OpenID clients, RS256; empty until Maintain has run once
	ES256    *token.Ring // of those of clients that want ES256; empty as long
	Subjects secret.Text // 32 bytes that pairwise ids are made with; they stay for good

	Options
	chains []*keychain
	state  string // of the signing keys when they were last loaded
}

// ErrMasterKey means that the database was made under another master key.
// Starting with a new one would leave everything sealed unreadable (SR-04).
var ErrMasterKey = errors.New("the master key does not open this database; restore the key it was made with (OTL_SECRET_KEY or secret.key in the data directory)")

const (
	keyCheckPlace = "installation|1|key_check"
	keyCheckPlain = "otl"
	subjectPlace  = "installation|1|subject_key"
	subjectSize   = 32 // bytes
)

// Initialised reports whether a database already belongs to an installation,
// and so to a master key.
func Initialised(ctx context.Context, st *store.Store) (bool, error) {
	_, err := st.Read.Installation.Get(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Open proves the master key, creates what a new database lacks and loads the
// signing keys. It fails with ErrMasterKey under the wrong key.
func Open(ctx context.Context, o Options) (*Installation, error) {
	in := &Installation{Ring: token.NewRing(), Identity: token.NewRing(), ES256: token.NewRing(), Options: o}
	access := &keychain{Installation: in, purpose: purposeAccess, algorithm: o.Algorithm, ttl: o.AccessTTL, ring: in.Ring}
	in.chains = []*keychain{
		access,
		{Installation: in, purpose: purposeES256, algorithm: token.ES256, ttl: identityTTL, ring: in.ES256}, // its first key is made in no time
		{Installation: in, purpose: purposeIdentity, algorithm: token.RS256, ttl: identityTTL, ring: in.Identity},
	}
	row, err := o.Store.Read.Installation.Get(ctx)
	if errors.Is(err, store.ErrNotFound) {
		if err := in.create(ctx); err != nil {
			return nil, fmt.Errorf("create installation: %w", err)
		}
		row, err = o.Store.Read.Installation.Get(ctx)
	}
	if err != nil {
		return nil, err
	}
	plain, err := o.Master.Open(row.KeyCheck, keyCheckPlace)
	if err != nil || string(plain) != keyCheckPlain {
		return nil, ErrMasterKey
	}
	in.SiteID = row.SiteID
	if in.Subjects, err = in.subjects(ctx, row.SubjectKey); err != nil {
		return nil, fmt.Errorf("open the key of pairwise ids: %w", err)
	}
	if o.Master.Stale(row.KeyCheck) {
		if err := in.reseal(ctx, row.KeyCheck); err != nil {
			return nil, fmt.Errorf("seal under the new master key: %w", err)
		}
		if o.Log != nil {
			o.Log.Warn("the master key was replaced; every server starts with the new one alone from now on, and backups from before open with the old one")
		}
	}
	if err := in.refresh(ctx); err != nil {
		return nil, err
	}
	if in.Serve || len(access.keys) == 0 {
		// The other chains can wait until requests are answered: making the first RSA
		// key takes a while.
		return in, access.maintain(ctx)
	}
	return in, nil
}

// create writes the row and the first-party site. Of several nodes that start
// on an empty database one does it.
func (in *Installation) create(ctx context.Context) error {
	now := in.Now()
	site := otl.Site{
		ID: secret.NewID(now), Slug: "account", Name: "OneTimeLogin", FirstParty: true,
		Requested: otl.AllFields(), Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	row := store.InstallationRow{KeyCheck: in.Master.Seal([]byte(keyCheckPlain), keyCheckPlace), SiteID: site.ID, CreatedAt: now}
	return in.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		first, err := tx.Installation.Insert(ctx, row)
		if err != nil || !first {
			return err
		}
		_, err = tx.Sites.Insert(ctx, site)
		return err
	})
}

// subjects opens the key of pairwise ids, and makes it where there is none yet. Of several
// nodes that do so at once the first one's stays.
func (in *Installation) subjects(ctx context.Context, sealed []byte) (secret.Text, error) {
	if len(sealed) == 0 {
		made := in.Master.Seal(secret.Bytes(subjectSize), subjectPlace)
		if err := in.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Installation.AddSubjectKey(ctx, made) }); err != nil {
			return secret.Text{}, err
		}
		row, err := in.Store.Read.Installation.Get(ctx)
		if err != nil {
			return secret.Text{}, err
		}
		sealed = row.SubjectKey
	}
	key, err := in.Master.Open(sealed, subjectPlace)
	return secret.NewText(string(key)), err
}

// reseal brings everything sealed under a replaced master key under the current
// one, the proof last, which is given as it was read: a crash in between leaves both
// keys needed and the next start goes on. Whoever replaces the proof writes that into the log.
func (in *Installation) reseal(ctx context.Context, proof []byte) error {
	keys, err := in.Store.Read.SigningKeys.All(ctx, "")
	if err != nil {
		return err
	}
	return in.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, k := range keys {
			plain, err := in.Master.Open(k.Private, keyPlace(k.ID))
			if err != nil {
				return fmt.Errorf("signing key %s: %w", k.ID, err)
			}
			if err := tx.SigningKeys.Seal(ctx, k.ID, in.Master.Seal(plain, keyPlace(k.ID))); err != nil {
				return err
			}
		}
		first, err := tx.Installation.Seal(ctx, proof, in.Master.Seal([]byte(keyCheckPlain), keyCheckPlace), in.Master.Seal([]byte(in.Subjects.Reveal()), subjectPlace))
		if err != nil || !first {
			return err
		}
		now := in.Now()
		return tx.Events.Append(ctx, otl.Event{ID: "evt_" + secret.NewID(now), Type: otl.EventMasterReplaced, CreatedAt: now})
	})
}
