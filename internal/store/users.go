package store

import (
	"context"
	"errors"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Users is the group of statements about people.
type Users struct{ group }

// userColumns are the columns of a person as u.
const userColumns = `u.id, u.email, u.email_key, u.email_verified_at, u.name, u.display_name, u.phone,
	u.phone_verified_at, u.picture, u.locale, u.preferences, u.session_version, u.version, u.disabled_at,
	u.created_at, u.updated_at, u.last_login_at, u.username, u.username_key,
	u.created_by, u.held_for, u.held_channel, u.held_until, u.delete_at`

func userDest(u *otl.User) []any {
	return []any{
		&u.ID, &u.Email.Address, &u.Email.Key, at(&u.EmailVerifiedAt), &u.Name, &u.DisplayName, &u.Phone,
		at(&u.PhoneVerifiedAt), &u.Picture, &u.Locale, &u.Preferences, &u.SessionVersion, &u.Version, at(&u.DisabledAt),
		at(&u.CreatedAt), at(&u.UpdatedAt), at(&u.LastLoginAt), &u.Username.Name, &u.Username.Key,
		&u.CreatedBy, &u.HeldFor, &u.HeldChannel, at(&u.HeldUntil), at(&u.DeleteAt),
	}
}

// Insert adds a person and reports whether it did: false means that the address or
// the username is taken.
func (g Users) Insert(ctx context.Context, u otl.User) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO users (id, email, email_key, email_verified_at, name, display_name, phone,
		phone_verified_at, picture, locale, preferences, session_version, password_version, version, disabled_at,
		created_at, updated_at, last_login_at, name_key, username, username_key, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT DO NOTHING`,
		u.ID, u.Email.Address, u.Email.Key, millis(u.EmailVerifiedAt), u.Name, u.DisplayName, u.Phone,
		millis(u.PhoneVerifiedAt), u.Picture, u.Locale, u.Preferences, u.SessionVersion, u.Version,
		millis(u.DisabledAt), millis(u.CreatedAt), millis(u.UpdatedAt), millis(u.LastLoginAt), otl.Fold(u.Name), u.Username.Name, u.Username.Key, u.CreatedBy)
	return n == 1, err
}

// ByID gives one person.
func (g Users) ByID(ctx context.Context, id string) (otl.User, error) {
	var u otl.User
	err := g.one(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, []any{id}, userDest(&u)...)
	return u, err
}

// At gives one person with his grant to a site, which is empty if there is none, in one read.
func (g Users) At(ctx context.Context, id, siteID string) (u otl.User, gr otl.Grant, err error) {
	err = g.one(ctx, `SELECT `+userColumns+`, `+grantColumns+` FROM users u LEFT JOIN grants g ON g.user_id = u.id AND g.site_id = $2
		WHERE u.id = $1`, []any{id, siteID}, append(userDest(&u), grantDest(&gr)...)...)
	return u, gr, err
}

// Lock keeps the row of a person from others until the transaction ends: what is read of him after it
// stands. On SQLite, where one transaction writes at a time, that is so anyway. It locks nothing where he is gone.
func (g Users) Lock(ctx context.Context, id string) error {
	_, err := g.exec(ctx, `UPDATE users SET version = version WHERE id = $1`, id)
	return err
}

// Gone reports whether somebody who was looked for is there no more or is disabled: whoever asks for him
// is told the same of both (decision D7).
func Gone(u otl.User, err error) bool {
	return errors.Is(err, ErrNotFound) || err == nil && !u.DisabledAt.IsZero()
}

// ByEmail gives the person with this address key. Where there is none it reads whoever
// comes first and forgets him, so that it takes as long (OT-10).
func (g Users) ByEmail(ctx context.Context, key string) (otl.User, error) {
	var u otl.User
	var found bool
	err := g.one(ctx, `SELECT u.email_key = $1 AND u.email_key <> '', `+userColumns+` FROM users u
		WHERE u.id = COALESCE((SELECT id FROM users WHERE email_key = $1 AND email_key <> ''), (SELECT id FROM users WHERE id > '' ORDER BY id LIMIT 1))`,
		[]any{key}, append([]any{&found}, userDest(&u)...)...)
	if err == nil && !found {
		return otl.User{}, ErrNotFound
	}
	return u, err
}

// List gives people after the given id, oldest first.
func (g Users) List(ctx context.Context, after string, limit int) ([]otl.User, error) {
	return all(ctx, g.group, `SELECT `+userColumns+` FROM users u WHERE u.id > $1 ORDER BY u.id LIMIT $2`,
		[]any{after, limit}, userDest)
}

// Credential is a person with what a password sign-in needs to know of him.
type Credential struct {
	User            otl.User
	Hash            string // "" if he has no password
	Imported        bool
	PasswordVersion int
	Temporary       bool      // the password is to be replaced first
	Grant           otl.Grant // of the site asked for; empty if there is none
}

// Credential gives the person with this key of an address or a username, his
// password hash and his grant to one site, in one read. The two kinds of keys never
// meet: an address has an "@", a username none. Where there is nobody it reads whoever comes
// first and forgets him, so that it takes as long (PW-09).
func (g Users) Credential(ctx context.Context, key, siteID string) (Credential, error) {
	var c Credential
	var found bool
	var hash nullable[string]
	var imported, temporary nullable[bool]
	dest := append(append([]any{&found}, userDest(&c.User)...), &c.PasswordVersion, &hash, &imported, &temporary)
	err := g.one(ctx, `SELECT u.email_key = $1 AND u.email_key <> '' OR u.username_key = $1 AND u.username_key <> '',
			`+userColumns+`, u.password_version, p.hash, p.imported, p.temporary, `+grantColumns+`
		FROM users u
		LEFT JOIN passwords p ON p.user_id = u.id
		LEFT JOIN grants g ON g.user_id = u.id AND g.site_id = $2
		WHERE u.id = COALESCE((SELECT id FROM users WHERE email_key = $1 AND email_key <> '' OR username_key = $1 AND username_key <> ''),
			(SELECT id FROM users WHERE id > '' ORDER BY id LIMIT 1))`, []any{key, siteID}, append(dest, grantDest(&c.Grant)...)...)
	if err == nil && !found {
		return Credential{}, ErrNotFound
	}
	c.Hash, c.Imported, c.Temporary = hash.V, imported.V, temporary.V
	return c, err
}

// SignedIn records a sign-in and gives the session version to stamp. It fails
// with ErrNotFound when the person was disabled, or his password changed, since
// passwordVersion was read.
func (g Users) SignedIn(ctx context.Context, id string, passwordVersion int, now time.Time) (sessionVersion int, err error) {
	g.changes.person(id)
	err = g.one(ctx, `UPDATE users SET last_login_at = $1
		WHERE id = $2 AND password_version = $3 AND disabled_at IS NULL
		RETURNING session_version`, []any{millis(now), id, passwordVersion}, &sessionVersion)
	return sessionVersion, err
}

// Came records a sign-in that needed no password, of somebody who was read in the same
// transaction, and gives him as he is now: on PostgreSQL he may have changed since. It fails
// with ErrNotFound when he is disabled or gone.
func (g Users) Came(ctx context.Context, u otl.User, now time.Time) (otl.User, error) {
	g.changes.person(u.ID)
	var version int
	var deleteAt time.Time
	err := g.one(ctx, `UPDATE users SET last_login_at = $1 WHERE id = $2 AND disabled_at IS NULL RETURNING session_version, version, delete_at`,
		[]any{millis(now), u.ID}, &u.SessionVersion, &version, at(&deleteAt))
	if err == nil && (version != u.Version || !deleteAt.Equal(u.DeleteAt)) {
		return g.ByID(ctx, u.ID)
	}
	u.LastLoginAt = time.UnixMilli(now.UnixMilli()).UTC()
	return u, err
}

// VerifyEmail notes that a person proved to hold an address, and reports whether
// nobody had before.
func (g Users) VerifyEmail(ctx context.Context, id, key string, now time.Time) (bool, error) {
	g.changes.person(id)
	n, err := g.exec(ctx, `UPDATE users SET email_verified_at = $1, updated_at = $1, version = version + 1
		WHERE id = $2 AND email_key = $3 AND email_verified_at IS NULL`, millis(now), id, key)
	return n == 1, err
}

// VerifyPhone notes that a person proved to hold a number, and reports whether
// nobody had before.
func (g Users) VerifyPhone(ctx context.Context, id, phone string, now time.Time) (bool, error) {
	g.changes.person(id)
	n, err := g.exec(ctx, `UPDATE users SET phone_verified_at = $1, updated_at = $1, version = version + 1
		WHERE id = $2 AND phone = $3 AND phone_verified_at IS NULL`, millis(now), id, phone)
	return n == 1, err
}

// UnprovePhone forgets that somebody proved to hold the number of a person who has an
// address.
func (g Users) UnprovePhone(ctx context.Context, id string) error {
	g.changes.person(id)
	_, err := g.exec(ctx, `UPDATE users SET phone_verified_at = NULL, version = version + 1 WHERE id = $1 AND email_key <> ''`, id)
	return err
}

// RaiseSessionVersion voids every access token of a person and gives the new
// version.
func (g Users) RaiseSessionVersion(ctx context.Context, id string) (int, error) {
	g.changes.person(id)
	var version int
	err := g.one(ctx, `UPDATE users SET session_version = session_version + 1 WHERE id = $1
		RETURNING session_version`, []any{id}, &version)
	return version, err
}

// UpdateProfile writes the profile of a person if it still has the version it
// was read with, and reports whether it had. It fails with ErrTaken when somebody
// else has the username.
func (g Users) UpdateProfile(ctx context.Context, u otl.User) (bool, error) {
	g.changes.person(u.ID)
	n, err := g.exec(ctx, `UPDATE users SET name = $1, display_name = $2, phone = $3, picture = $4, locale = $5,
		preferences = $6, updated_at = $7, name_key = $8, username = $9, username_key = $10, version = version + 1
		WHERE id = $11 AND version = $12`,
		u.Name, u.DisplayName, u.Phone, u.Picture, u.Locale, u.Preferences, millis(u.UpdatedAt), otl.Fold(u.Name), u.Username.Name, u.Username.Key, u.ID, u.Version)
	return n == 1, err
}

// ChangeEmail gives a person another address if he still has the one with key was, and
// reports whether he had. The address of u, when it was proven, and what it is held for
// are written. It fails with ErrTaken where somebody else has the address.
func (g Users) ChangeEmail(ctx context.Context, u otl.User, was string, now time.Time) (bool, error) {
	g.changes.person(u.ID)
	n, err := g.exec(ctx, `UPDATE users SET email = $1, email_key = $2, email_verified_at = $3, held_for = $4, held_channel = $5, held_until = $6,
		updated_at = $7, version = version + 1 WHERE id = $8 AND email_key = $9`,
		u.Email.Address, u.Email.Key, millis(u.EmailVerifiedAt), u.HeldFor, string(u.HeldChannel), millis(u.HeldUntil), millis(now), u.ID, was)
	return n == 1, err
}

// ChangePhone does the same for the number.
func (g Users) ChangePhone(ctx context.Context, u otl.User, was string, now time.Time) (bool, error) {
	g.changes.person(u.ID)
	n, err := g.exec(ctx, `UPDATE users SET phone = $1, phone_verified_at = $2, held_for = $3, held_channel = $4, held_until = $5,
		updated_at = $6, version = version + 1 WHERE id = $7 AND phone = $8`,
		u.Phone, millis(u.PhoneVerifiedAt), u.HeldFor, string(u.HeldChannel), millis(u.HeldUntil), millis(now), u.ID, was)
	return n == 1, err
}

// SetDisabled disables a person at the given time, or enables him for the zero
// time. It reports whether that changed anything.
func (g Users) SetDisabled(ctx context.Context, id string, at time.Time) (bool, error) {
	g.changes.person(id)
	n, err := g.exec(ctx, `UPDATE users SET disabled_at = $1 WHERE id = $2 AND (disabled_at IS NULL) = $3`,
		millis(at), id, !at.IsZero())
	return n == 1, err
}

// Delete removes a person with everything that is his, and reports whether he
// was there. Events keep his id.
func (g Users) Delete(ctx context.Context, id string) (bool, error) {
	g.changes.person(id)
	n, err := g.exec(ctx, `DELETE FROM users WHERE id = $1`, id)
	return n == 1, err
}

// Passwords is the group of statements about password hashes.
type Passwords struct{ group }

// Set writes a person's password hash, whatever he had before, and raises his
// password version, so that a sign-in under way with the old one fails. The row of the person
// is locked first, as by whoever ends his sessions.
func (g Passwords) Set(ctx context.Context, userID, hash string, imported bool, now time.Time) error {
	if _, err := g.exec(ctx, `UPDATE users SET password_version = password_version + 1 WHERE id = $1`, userID); err != nil {
		return err
	}
	_, err := g.exec(ctx, `INSERT INTO passwords (user_id, hash, imported, changed_at, temporary) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id) DO UPDATE SET hash = $2, imported = $3, changed_at = $4, temporary = $5`,
		userID, hash, imported, millis(now), false)
	return err
}

// MustReplace notes that a password which was just set is to be replaced before it lets
// its person in.
func (g Passwords) MustReplace(ctx context.Context, userID string) error {
	_, err := g.exec(ctx, `UPDATE passwords SET temporary = $1 WHERE user_id = $2`, true, userID)
	return err
}

// Temporary reports whether a person's password is such a one.
func (g Passwords) Temporary(ctx context.Context, userID string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM passwords WHERE user_id = $1 AND temporary`, []any{userID}, &n)
	return n > 0, err
}

// Has reports whether a person has a password.
func (g Passwords) Has(ctx context.Context, userID string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM passwords WHERE user_id = $1`, []any{userID}, &n)
	return n > 0, err
}

// Remove takes a person's password away and reports whether he had one. A sign-in
// under way with it fails.
func (g Passwords) Remove(ctx context.Context, userID string) (bool, error) {
	n, err := g.exec(ctx, `DELETE FROM passwords WHERE user_id = $1`, userID)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = g.exec(ctx, `UPDATE users SET password_version = password_version + 1 WHERE id = $1`, userID)
	return true, err
}

// Rehash replaces one stored hash by another of the same password. It does
// nothing when the hash is no longer the one that was read: a new password wins
// over a rehash of the old one (PW-08).
func (g Passwords) Rehash(ctx context.Context, userID, old, hash string) error {
	_, err := g.exec(ctx, `UPDATE passwords SET hash = $1, imported = $2 WHERE user_id = $3 AND hash = $4`,
		hash, false, userID, old)
	return err
}

// AddScheme records that hashes of this algorithm and cost exist.
func (g Passwords) AddScheme(ctx context.Context, scheme string, now time.Time) error {
	_, err := g.exec(ctx, `INSERT INTO password_schemes (scheme, created_at) VALUES ($1, $2)
		ON CONFLICT (scheme) DO NOTHING`, scheme, millis(now))
	return err
}

// Schemes gives every algorithm and cost in use.
func (g Passwords) Schemes(ctx context.Context) ([]string, error) {
	return all(ctx, g.group, `SELECT scheme FROM password_schemes ORDER BY scheme`, nil,
		func(s *string) []any { return []any{s} })
}
