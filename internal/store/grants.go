package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Grants is the group of statements about what people let sites see, and what
// they are there.
type Grants struct{ group }

const grantColumns = `g.user_id, g.site_id, g.fields, g.created_at, g.updated_at, g.revoked_at, g.roles, g.last_login_at, g.asked, g.suspended_at, g.suspended_until`

func grantDest(g *otl.Grant) []any {
	return []any{
		text(&g.UserID), text(&g.SiteID), words(&g.Fields, otl.StoredFields),
		at(&g.CreatedAt), at(&g.UpdatedAt), at(&g.RevokedAt), words(&g.Roles, strings.Fields), at(&g.LastLoginAt),
		words(&g.Asked, otl.StoredFields),
		at(&g.SuspendedAt), at(&g.SuspendedUntil),
	}
}

// Put writes a grant, replacing what the person granted the site before.
func (g Grants) Put(ctx context.Context, gr otl.Grant) error {
	g.changes.person(gr.UserID)
	_, err := g.exec(ctx, `INSERT INTO grants (user_id, site_id, fields, created_at, updated_at, roles, last_login_at, asked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id, site_id) DO UPDATE SET fields = $3, updated_at = $5, revoked_at = NULL, roles = $6, last_login_at = $7, asked = $8`,
		gr.UserID, gr.SiteID, gr.Fields.String(), millis(gr.CreatedAt), millis(gr.UpdatedAt), strings.Join(gr.Roles, " "),
		millis(gr.LastLoginAt), gr.Asked.String())
	if err != nil {
		return err
	}
	return g.decided(ctx, gr)
}

// Join writes a person's first grant to a site, or the first since he left it,
// with the site's default roles, and gives it.
func (g Grants) Join(ctx context.Context, gr otl.Grant) (otl.Grant, error) {
	var err error
	if gr.Roles, err = Roles(g).Defaults(ctx, gr.SiteID); err != nil {
		return gr, err
	}
	return gr, g.Put(ctx, gr)
}

// Of gives the grant of a person to a site, live or not.
func (g Grants) Of(ctx context.Context, userID, siteID string) (otl.Grant, error) {
	var gr otl.Grant
	err := g.one(ctx, `SELECT `+grantColumns+` FROM grants g WHERE g.user_id = $1 AND g.site_id = $2`,
		[]any{userID, siteID}, grantDest(&gr)...)
	return gr, err
}

// OfPerson gives the live grants of a person to partner sites, by site.
func (g Grants) OfPerson(ctx context.Context, userID string) ([]otl.Grant, error) {
	return all(ctx, g.group, `SELECT `+grantColumns+` FROM grants g JOIN sites s ON s.id = g.site_id
		WHERE g.user_id = $1 AND g.revoked_at IS NULL AND s.deleted_at IS NULL AND NOT s.first_party ORDER BY g.site_id`, []any{userID}, grantDest)
}

// SignedIn notes that a person signed in at a site, and gives the grant with what it grants
// now. It fails with ErrNotFound where it is live no more: on PostgreSQL the person may have
// disconnected the site since it was read.
func (g Grants) SignedIn(ctx context.Context, gr otl.Grant, now time.Time) (otl.Grant, error) {
	g.changes.person(gr.UserID)
	err := g.one(ctx, `UPDATE grants SET last_login_at = $1 WHERE user_id = $2 AND site_id = $3 AND revoked_at IS NULL AND suspended_at IS NULL RETURNING fields`,
		[]any{millis(now), gr.UserID, gr.SiteID}, words(&gr.Fields, otl.StoredFields))
	gr.LastLoginAt = now
	return gr, err
}

// Revoke ends a grant and takes the person's roles, and reports whether it was
// live.
func (g Grants) Revoke(ctx context.Context, userID, siteID string, now time.Time) (bool, error) {
	g.changes.person(userID)
	n, err := g.exec(ctx, `UPDATE grants SET revoked_at = $1, updated_at = $1, roles = '' WHERE user_id = $2 AND site_id = $3 AND revoked_at IS NULL`,
		millis(now), userID, siteID)
	if err != nil || n == 0 {
		return false, err
	}
	return true, g.withdrawn(ctx, userID, siteID, now)
}

// Suspend writes since when a person is barred from a site and until when, zero times for
// never, if he stands as he was read, and reports whether he did.
func (g Grants) Suspend(ctx context.Context, was otl.Grant, at, until time.Time) (bool, error) {
	g.changes.person(was.UserID)
	n, err := g.exec(ctx, `UPDATE grants SET suspended_at = $1, suspended_until = $2 WHERE user_id = $3 AND site_id = $4 AND revoked_at IS NULL
		AND suspended_at IS NOT DISTINCT FROM $5 AND suspended_until IS NOT DISTINCT FROM $6`,
		millis(at), millis(until), was.UserID, was.SiteID, millis(was.SuspendedAt), millis(was.SuspendedUntil))
	return n == 1, err
}

// Locked gives grants of people who were barred until a time that is over, at most limit
// of them, whether or not they let the site in.
func (g Grants) Locked(ctx context.Context, now time.Time, limit int) ([]otl.Grant, error) {
	return all(ctx, g.group, `SELECT `+grantColumns+` FROM grants g WHERE g.suspended_until <= $1 LIMIT $2`, []any{millis(now), limit}, grantDest)
}

// Unlock lets a person in again whose time is over, and reports whether it was.
func (g Grants) Unlock(ctx context.Context, userID, siteID string, now time.Time) (bool, error) {
	g.changes.person(userID)
	n, err := g.exec(ctx, `UPDATE grants SET suspended_at = NULL, suspended_until = NULL WHERE user_id = $1 AND site_id = $2 AND suspended_until <= $3`,
		userID, siteID, millis(now))
	return n == 1, err
}

// Owns reports whether a person is a site's own (decision D1): it added him and he has not left
// it, no other site knows him, and he has proven no address or number.
func (g Grants) Owns(ctx context.Context, siteID, userID string) (bool, error) {
	var n int
	err := g.one(ctx, `SELECT count(*) FROM users u JOIN grants g ON g.user_id = u.id AND g.site_id = u.created_by AND g.revoked_at IS NULL
		WHERE u.id = $1 AND u.created_by = $2 AND u.email_verified_at IS NULL AND u.phone_verified_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM grants e WHERE e.user_id = u.id AND e.site_id <> $2 AND e.revoked_at IS NULL)`, []any{userID, siteID}, &n)
	return n > 0, err
}

// Lock lets one transaction at a time change what a person is at a site and what it keeps of him:
// on PostgreSQL the others wait for the rows of the person and of the grant, in the order in which
// sign-ins write them, so that nobody waits in a circle.
func (g Grants) Lock(ctx context.Context, userID, siteID string) error {
	if _, err := g.exec(ctx, `UPDATE users SET updated_at = updated_at WHERE id = $1`, userID); err != nil {
		return err
	}
	_, err := g.exec(ctx, `UPDATE grants SET updated_at = updated_at WHERE user_id = $1 AND site_id = $2`, userID, siteID)
	return err
}

// SetRoles replaces the roles of a person at a site, if they still are what they
// were read as, and reports whether they were.
func (g Grants) SetRoles(ctx context.Context, gr otl.Grant, roles []string) (bool, error) {
	g.changes.person(gr.UserID)
	n, err := g.exec(ctx, `UPDATE grants SET roles = $1 WHERE user_id = $2 AND site_id = $3 AND roles = $4 AND revoked_at IS NULL`,
		strings.Join(roles, " "), gr.UserID, gr.SiteID, strings.Join(gr.Roles, " "))
	return n == 1, err
}

// WithRole gives live grants to a site that hold a role, at most limit of them.
func (g Grants) WithRole(ctx context.Context, siteID, role string, limit int) ([]otl.Grant, error) {
	return all(ctx, g.group, `SELECT `+grantColumns+` FROM grants g
		WHERE g.site_id = $1 AND g.revoked_at IS NULL AND ' ' || g.roles || ' ' LIKE $2 ESCAPE '!' ORDER BY g.user_id LIMIT $3`,
		[]any{siteID, "% " + escapeLike(role) + " %", limit}, grantDest)
}

// Member is a person as one of a site's.
type Member struct {
	User   otl.User
	Grant  otl.Grant
	Record otl.Record // what the site keeps of him
}

func memberDest(m *Member) []any {
	return append(append(userDest(&m.User), grantDest(&m.Grant)...), recordDest(&m.Record)...)
}

// Member gives a person who has joined a site and not left it.
func (g Grants) Member(ctx context.Context, siteID, userID string) (Member, error) {
	var m Member
	err := g.one(ctx, `SELECT `+userColumns+`, `+grantColumns+`, `+recordColumns+` FROM grants g JOIN users u ON u.id = g.user_id
		LEFT JOIN records r ON r.site_id = g.site_id AND r.user_id = g.user_id
		WHERE g.site_id = $1 AND g.user_id = $2 AND g.revoked_at IS NULL`, []any{siteID, userID}, memberDest(&m)...)
	return m, err
}

// MemberByID gives the person with this id who has joined a site and not left it, MemberByEmail and MemberByUsername
// one who lets it see what he is named by, without what the site keeps of him. It is one statement and one row whoever has
// that: where it is none of the site's people, whoever comes first is read and forgotten (OT-10).
func (g Grants) MemberByID(ctx context.Context, siteID, userID string) (Member, error) {
	return g.named(ctx, siteID, userID, `$2`, `u.id = $2`)
}

// MemberByEmail is MemberByID by the key of an address.
func (g Grants) MemberByEmail(ctx context.Context, siteID, key string) (Member, error) {
	return g.named(ctx, siteID, key, `COALESCE((SELECT id FROM users WHERE email_key = $2 AND email_key <> ''), '')`,
		`u.email_key = $2 AND u.email_key <> '' AND `+granted(otl.FieldEmail))
}

// MemberByUsername is MemberByID by the key of a username.
func (g Grants) MemberByUsername(ctx context.Context, siteID, key string) (Member, error) {
	return g.named(ctx, siteID, key, `COALESCE((SELECT id FROM users WHERE username_key = $2 AND username_key <> ''), '')`,
		`u.username_key = $2 AND u.username_key <> '' AND `+granted(otl.FieldUsername))
}

// named gives the one of a site's people whom a name stands for: id gives whom it stands for anywhere, and is says whether that is
// he. His grant is looked for wherever he is, and whoever comes first at the site is read where he is not one of its people.
func (g Grants) named(ctx context.Context, siteID, name, id, is string) (Member, error) {
	var m Member
	var found bool
	err := g.one(ctx, `SELECT `+is+` AND g.revoked_at IS NULL, `+userColumns+`, `+grantColumns+` FROM grants g JOIN users u ON u.id = g.user_id
		WHERE g.site_id = $1 AND g.user_id = COALESCE((SELECT user_id FROM grants WHERE site_id = $1 AND user_id = `+id+`),
			(SELECT user_id FROM grants WHERE site_id = $1 AND user_id > '' ORDER BY user_id LIMIT 1))`,
		[]any{siteID, name}, append(append([]any{&found}, userDest(&m.User)...), grantDest(&m.Grant)...)...)
	if err == nil && !found {
		return Member{}, ErrNotFound
	}
	return m, err
}

// MemberByPhone gives the person with this number who has joined a site, not left it and lets it see his number,
// without what the site keeps of him: of others it would tell whose number it is (D1). Numbers are not unique, and
// anybody may write one: whoever has proven it comes before all who have not. Where two are as good as each other it
// is ErrSeveral. Of each rank no more than two are looked at, and one is read in full: whoever comes first at the site
// where that is nobody, who is forgotten, so that it takes as long (OT-10).
func (g Grants) MemberByPhone(ctx context.Context, siteID, phone string) (Member, error) {
	// Whether a site sees a number is asked of each person who has it: a join could begin with all people of the site.
	having := `SELECT MIN(id) AS id, COUNT(*) AS people FROM (SELECT u.id FROM users u WHERE u.phone = $2 AND u.phone <> '' AND
		(SELECT ` + granted(otl.FieldPhone) + ` FROM grants g WHERE g.user_id = u.id AND g.site_id = $1 AND g.revoked_at IS NULL)`
	var m Member
	var proven, written int
	err := g.one(ctx, `SELECT proven.people, written.people, `+userColumns+`, `+grantColumns+`
		FROM (`+having+` AND u.phone_verified_at IS NOT NULL LIMIT 2) AS two) AS proven
		CROSS JOIN (`+having+` AND u.phone_verified_at IS NULL LIMIT 2) AS two) AS written
		JOIN grants g ON g.site_id = $1 AND g.user_id = COALESCE(proven.id, written.id,
			(SELECT user_id FROM grants WHERE site_id = $1 AND user_id > '' ORDER BY user_id LIMIT 1))
		JOIN users u ON u.id = g.user_id`,
		[]any{siteID, phone}, append(append([]any{&proven, &written}, userDest(&m.User)...), grantDest(&m.Grant)...)...)
	if proven == 0 { // nobody has shown that it is his
		proven = written
	}
	switch {
	case err != nil:
		return Member{}, err
	case proven == 0:
		return Member{}, ErrNotFound
	case proven > 1:
		return Member{}, ErrSeveral
	}
	return m, nil
}

// Search limits a list of members. Only what the person granted to the site is
// searched.
type Search struct {
	EmailKey string // exactly this address; "" for any
	Text     string // the beginning of an address or a part of a name, folded; "" for any
}

// Members gives people of a site after an id, oldest first. Whoever has an address is found by it, and not among all.
func (g Grants) Members(ctx context.Context, siteID string, s Search, after string, limit int) ([]Member, error) {
	exactly := ` AND $3 = ''`
	if s.EmailKey != "" {
		exactly = ` AND u.email_key = $3 AND u.email_key <> '' AND ` + granted(otl.FieldEmail)
	}
	return all(ctx, g.group, `SELECT `+userColumns+`, `+grantColumns+`, `+recordColumns+` FROM grants g JOIN users u ON u.id = g.user_id
		LEFT JOIN records r ON r.site_id = g.site_id AND r.user_id = g.user_id
		WHERE g.site_id = $1 AND g.user_id > $2 AND g.revoked_at IS NULL`+exactly+`
		AND ($4 = '' OR u.email_key LIKE $5 ESCAPE '!' AND ' ' || g.fields || ' ' LIKE '% email %'
			OR u.name_key LIKE $6 ESCAPE '!' AND ' ' || g.fields || ' ' LIKE '% name %')
		ORDER BY g.user_id LIMIT $7`,
		[]any{siteID, after, s.EmailKey, s.Text, escapeLike(s.Text) + "%", "%" + escapeLike(s.Text) + "%", limit}, memberDest)
}

// escapeLike makes a text stand for itself in a LIKE pattern with ESCAPE '!'.
func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// Roles is the group of statements about the roles a site knows.
type Roles struct{ group }

const roleColumns = `r.site_id, r.name, r.description, r.permissions, r.is_default, r.created_at`

func roleDest(r *otl.Role) []any {
	return []any{&r.SiteID, &r.Name, &r.Description, words(&r.Permissions, strings.Fields), &r.Default, at(&r.CreatedAt)}
}

// Insert adds a role and reports whether it did: false means that the site has
// one of this name.
func (g Roles) Insert(ctx context.Context, r otl.Role) (bool, error) {
	n, err := g.exec(ctx, `INSERT INTO roles (site_id, name, description, permissions, is_default, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (site_id, name) DO NOTHING`,
		r.SiteID, r.Name, r.Description, strings.Join(r.Permissions, " "), r.Default, millis(r.CreatedAt))
	return n == 1, err
}

// Update writes everything but the name of a role and reports whether there was
// one.
func (g Roles) Update(ctx context.Context, r otl.Role) (bool, error) {
	n, err := g.exec(ctx, `UPDATE roles SET description = $1, permissions = $2, is_default = $3 WHERE site_id = $4 AND name = $5`,
		r.Description, strings.Join(r.Permissions, " "), r.Default, r.SiteID, r.Name)
	return n == 1, err
}

// ByName gives one role of a site.
func (g Roles) ByName(ctx context.Context, siteID, name string) (otl.Role, error) {
	var r otl.Role
	err := g.one(ctx, `SELECT `+roleColumns+` FROM roles r WHERE r.site_id = $1 AND r.name = $2`, []any{siteID, name}, roleDest(&r)...)
	return r, err
}

// OfSite gives the roles of a site by name.
func (g Roles) OfSite(ctx context.Context, siteID string) ([]otl.Role, error) {
	found, err := all(ctx, g.group, `SELECT `+roleColumns+` FROM roles r WHERE r.site_id = $1`, []any{siteID}, roleDest)
	slices.SortFunc(found, func(a, b otl.Role) int { return strings.Compare(a.Name, b.Name) }) // engines order text differently
	return found, err
}

// Defaults gives the names of the roles that whoever joins a site gets.
func (g Roles) Defaults(ctx context.Context, siteID string) ([]string, error) {
	return all(ctx, g.group, `SELECT name FROM roles WHERE site_id = $1 AND is_default ORDER BY name`, []any{siteID},
		func(s *string) []any { return []any{s} })
}

// Delete removes a role and reports whether there was one.
func (g Roles) Delete(ctx context.Context, siteID, name string) (bool, error) {
	n, err := g.exec(ctx, `DELETE FROM roles WHERE site_id = $1 AND name = $2`, siteID, name)
	return n == 1, err
}

// Lock lets one transaction at a time change a site, what its roles are and who has
// them: on PostgreSQL the others wait for the row of the site.
func (g Roles) Lock(ctx context.Context, siteID string) error {
	_, err := g.exec(ctx, `UPDATE sites SET updated_at = updated_at WHERE id = $1`, siteID)
	return err
}
