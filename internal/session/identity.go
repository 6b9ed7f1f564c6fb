package session

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/token"
)

// Identity issues and reads the tokens of OpenID clients (contract 3.7), good for an
// hour and signed as each client wants its own, but for access tokens (see access).
type Identity struct {
	RS256    *token.Ring
	ES256    *token.Ring
	Access   token.Algorithm // of access tokens of this installation (decision D5)
	Issuer   string
	Now      func() time.Time
	Ledger   *ledger.Ledger // of what sites are shown; nil for none
	Subjects Subjects
}

// IdentityTTL is how long each of these tokens is good.
const IdentityTTL = time.Hour

// usualAudience is the audience of access tokens that were asked for none.
const usualAudience = "userid-api"

// Wait returns once there are keys: in the first moments of a new installation they are
// still being made. The error is otl.Busy after a few seconds, or the context's.
func (i *Identity) Wait(ctx context.Context) error {
	for range 250 {
		if i.RS256.Ready(i.Now()) && i.ES256.Ready(i.Now()) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return otl.Busy(time.Second)
}

// JWKS gives the public keys of all tokens as a JWK set, those of RS256 first.
func (i *Identity) JWKS() []byte { return token.JWKS(i.RS256, i.ES256) }

// ring gives the keys that sign the tokens of a client.
func (i *Identity) ring(alg otl.SigningAlg) *token.Ring {
	if alg == otl.ES256 {
		return i.ES256
	}
	return i.RS256
}

// access gives how the access token of a person is signed. Who signed in at /authorize has a
// scope, and a client that hands the token on and reads nothing of it (RFC 6749 section 1.4):
// what the token endpoint gives of him is signed with ES256, or with RS256 where this
// installation signs access tokens with that (decision D5). Calls of Transmit's wire are of
// clients that look for RSA keys (contract 3.7): these are signed as the client's other tokens.
func (i *Identity) access(st store.Standing, a Ask) otl.SigningAlg {
	switch {
	case !a.OAuth || st.Session.Scope == "":
		return a.Client.SigningAlg
	case i.Access == token.RS256 && !a.Client.FAPI: // which forbids it (FAPI 2.0 section 5.4)
		return otl.RS256
	}
	return otl.ES256
}

func (i *Identity) sign(alg otl.SigningAlg, typ string, c token.Claims) (secret.Text, error) {
	now := i.Now()
	c["iss"], c["iat"], c["exp"] = i.Issuer, now.Unix(), now.Add(IdentityTTL).Unix()
	raw, err := i.ring(alg).SignClaims(typ, c, now)
	return secret.NewText(raw), err
}

// read reads a token: the header names one key of ours and its algorithm, or none.
func (i *Identity) read(typ string, raw secret.Text) (token.Claims, error) {
	c, err := i.RS256.VerifyClaims(typ, raw.Reveal(), i.Issuer, i.Now())
	if err != nil {
		c, err = i.ES256.VerifyClaims(typ, raw.Reveal(), i.Issuer, i.Now())
	}
	return c, err
}

// Client issues the token with which a client calls for itself. Without a resource
// the audience is the usual one.
func (i *Identity) Client(c otl.Client, site otl.Site, resource string) (secret.Text, error) {
	return i.sign(c.SigningAlg, token.TypeClient, token.Claims{
		"jti": secret.NewID(i.Now()), "sub": c.ID, "aud": audience(resource), "scope": c.Scopes.String(), "role": []string{"client"},
		"client_id": c.ID, "app_name": site.Name, "app_id": c.ID, "tid": tenant(site),
	})
}

func audience(resource string) string {
	if resource == "" {
		return usualAudience
	}
	return resource
}

// tenant is whose installation a site is part of.
func tenant(site otl.Site) string {
	if site.BusinessID == "" {
		return site.ID
	}
	return site.BusinessID
}

// ReadClient gives the id of the client of a token and the scopes it was issued
// with. The error is otl.ErrToken. Whether the client may still act is not looked
// at.
func (i *Identity) ReadClient(raw secret.Text) (id string, scopes otl.Scopes, err error) {
	c, err := i.read(token.TypeClient, raw)
	if err != nil || c.Text("aud") != usualAudience {
		return "", nil, otl.ErrToken
	}
	for _, word := range strings.Fields(c.Text("scope")) {
		scopes = append(scopes, otl.Scope(word))
	}
	return c.Text("client_id"), scopes, nil
}

// ReadPerson gives the session and the session version an access token of a person
// names. The error is otl.ErrToken. Whether the session still counts is not looked at.
func (i *Identity) ReadPerson(raw secret.Text) (session string, version int, err error) {
	c, err := i.read(token.TypeAccess, raw)
	if err != nil || c["cnf"] != nil { // one that is bound to a key is not to be had by carrying it
		return "", 0, otl.ErrToken
	}
	return c.Text("sid"), i.version(c), nil
}

// version gives the session version that an access token says.
func (i *Identity) version(c token.Claims) int {
	return int(c.Number("session_version")) - i.Subjects.ahead(c.Text("sub"))
}

// Presented is what a genuine access token of a person says. Whether its session still
// counts is not looked at.
type Presented struct {
	ID, Session, Subject, Client, Audience string
	Scopes                                 []string
	Version                                int
	IssuedAt, ExpiresAt                    time.Time
	Key                                    string // thumbprint of the key it is bound to, "" for none
}

// Present reads an access token of a person. The error is otl.ErrToken.
func (i *Identity) Present(raw secret.Text) (Presented, error) {
	c, err := i.read(token.TypeAccess, raw)
	if err != nil {
		return Presented{}, otl.ErrToken
	}
	bound, _ := c["cnf"].(map[string]any)
	return Presented{
		Key: token.Claims(bound).Text("jkt"),
		ID:  c.Text("jti"), Session: c.Text("sid"), Subject: c.Text("sub"), Client: c.Text("client_id"), Audience: c.Text("aud"),
		Scopes: strings.Fields(c.Text("scope")), Version: i.version(c),
		IssuedAt: time.Unix(c.Number("iat"), 0).UTC(), ExpiresAt: time.Unix(c.Number("exp"), 0).UTC(),
	}, nil
}

// logoutTTL is how long a logout token is good (OA-13).
const logoutTTL = 2 * time.Minute

// Logout issues the token that tells a client that a session of a person with it has ended,
// signed as its ID tokens are.
func (i *Identity) Logout(c otl.Client, person, session string) (secret.Text, error) {
	now := i.Now()
	raw, err := i.ring(c.SigningAlg).SignClaims(token.TypeLogout, token.Claims{
		"iss": i.Issuer, "aud": c.ID, "sub": i.Subjects.Of(c, person), "sid": session, "jti": secret.NewID(now), "iat": now.Unix(), "exp": now.Add(logoutTTL).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}, now)
	return secret.NewText(raw), err
}

// Hint gives the client, the subject and the session an ID token was issued for, which
// may have expired. The error is otl.ErrToken.
func (i *Identity) Hint(raw secret.Text) (client, subject, session string, err error) {
	c, err := i.RS256.VerifyPast(token.TypeID, raw.Reveal(), i.Issuer, i.Now())
	if err != nil {
		c, err = i.ES256.VerifyPast(token.TypeID, raw.Reveal(), i.Issuer, i.Now())
	}
	if err != nil {
		return "", "", "", otl.ErrToken
	}
	return c.Text("aud"), c.Text("sub"), c.Text("sid"), nil
}

// Scopes are what a client can ask for, with the claims each stands for (OpenID Connect
// Core section 5.4).
func Scopes() map[string][]string {
	return map[string][]string{
		"openid": nil, "offline_access": nil,
		"profile": {"name", "nickname", "preferred_username", "picture", "locale", "updated_at"},
		"email":   {"email", "email_verified"},
		"phone":   {"phone_number", "phone_number_verified"},
	}
}

// About gives what a client may know of a person by the scopes of its token: of what he
// granted the site, the claims they stand for.
func (i *Identity) About(st store.Standing, c otl.Client, scopes []string) map[string]any {
	known, out := about(st, c), map[string]any{"sub": i.Subjects.Of(c, st.User.ID)}
	known["roles"] = roles(st)
	for _, s := range scopes {
		add(out, Scopes()[s], known)
	}
	add(out, named(st.Session, InUserInfo), known)
	i.shown(st, out)
	return out
}

// Where a claim that is asked for by name is to stand (OpenID Connect Core section 5.5).
const (
	InUserInfo = "userinfo."
	InIDToken  = "id_token."
)

// Named are the claims that can be asked for by name: those of the scopes, and roles.
func Named() []string {
	out := []string{"roles"}
	for _, names := range Scopes() {
		out = append(out, names...)
	}
	return out
}

// named gives the claims that a session's client asked for by name in one place.
func named(s otl.Session, where string) []string {
	var out []string
	for _, one := range strings.Fields(s.Claims) {
		if name, ok := strings.CutPrefix(one, where); ok {
			out = append(out, name)
		}
	}
	return out
}

// fieldsOfClaims gives the field of a profile that a claim shows.
func fieldsOfClaims() map[string]otl.Field {
	return map[string]otl.Field{
		"email": otl.FieldEmail, "name": otl.FieldName, "phone_number": otl.FieldPhone, "nickname": otl.FieldDisplayName,
		"preferred_username": otl.FieldUsername, "picture": otl.FieldPicture, "locale": otl.FieldLocale,
	}
}

// shown notes what the claims about a person show of him.
func (i *Identity) shown(st store.Standing, claims ...map[string]any) {
	var fields otl.Fields
	for _, c := range claims {
		for name, f := range fieldsOfClaims() {
			if _, there := c[name]; there {
				fields = fields.With(f)
			}
		}
	}
	i.Ledger.Note(st.Site, st.User.ID, fields)
}

// Ask is what a client would like to have in the tokens of a person.
type Ask struct {
	Client   otl.Client
	OAuth    bool              // by the token endpoint (RFC 6749 section 3.2), not by a call of Transmit's wire
	Resource string            // "" for the usual audience
	ID       []string          // claims of the ID token, by name
	Access   []string          // claims of the access token, by name
	Approval map[string]string // what the person approved; a claim of the ID token
	Nonce    string
	Key      string // thumbprint of the key the access token is bound to, "" for none
}

// Pair is the tokens of a person for a client.
type Pair struct{ Access, ID secret.Text }

// Person issues the tokens of a person whose session stands. What they say of him
// is what he granted the site.
func (i *Identity) Person(st store.Standing, a Ask) (Pair, error) {
	roles := roles(st)
	scope := st.Session.Scope
	if scope == "" {
		scope = "openid"
	}
	sub := i.Subjects.Of(a.Client, st.User.ID)
	access := token.Claims{
		"jti": secret.NewID(i.Now()), "sub": sub, "aud": audience(a.Resource), "scope": scope, "roles": roles, "tid": tenant(st.Site),
		"client_id": a.Client.ID, "app_name": st.Site.Name, "app_id": a.Client.ID, "sid": st.Session.ID, "session_version": st.User.SessionVersion + i.Subjects.ahead(sub),
	}
	if a.Key != "" {
		access["cnf"] = map[string]string{"jkt": a.Key}
	}
	id := token.Claims{
		"sub": sub, "aud": a.Client.ID, "tid": tenant(st.Site), "sid": st.Session.ID, "auth_time": st.Session.AuthAt.Unix(),
		"amr": st.Session.Methods.AMR(), "acr": strconv.Itoa(max(st.Session.Methods.Factors(), 1)),
	}
	if len(a.Approval) > 0 {
		id["approval_data"] = a.Approval
	}
	if a.Nonce != "" {
		id["nonce"] = a.Nonce
	}
	known := about(st, a.Client)
	known["roles"] = roles
	add(access, a.Access, known)
	add(id, append(a.ID, named(st.Session, InIDToken)...), known)
	for _, s := range strings.Fields(st.Session.Scope) {
		add(id, Scopes()[s], known)
	}
	i.shown(st, access, id)
	var p Pair
	var err error
	if p.Access, err = i.sign(i.access(st, a), token.TypeAccess, access); err != nil {
		return p, err
	}
	p.ID, err = i.sign(a.Client.SigningAlg, token.TypeID, id)
	return p, err
}

// roles are what the person is at the site; never null.
func roles(st store.Standing) []string { return append([]string{}, st.Grant.Roles...) }

func add(to token.Claims, names []string, known map[string]any) {
	for name, v := range known {
		if _, there := to[name]; !there && slices.Contains(names, name) {
			to[name] = v
		}
	}
}

// about gives what a client of the site may know of a person, by the names of the claims
// (OpenID Connect Core section 5.1). When he last changed is the same second at every site and
// hardly anybody else's, so that it names him as an id would (PR-07).
func about(st store.Standing, c otl.Client) map[string]any {
	see, out := Visible(st), map[string]any{}
	if see.Has(otl.FieldEmail) && st.User.Email.Key != "" {
		out["email"], out["email_verified"] = st.User.Email.Address, !st.User.EmailVerifiedAt.IsZero()
	}
	if see.Has(otl.FieldName) && st.User.Name != "" {
		out["name"] = st.User.Name
	}
	if see.Has(otl.FieldPhone) && st.User.Phone != "" {
		out["phone_number"], out["phone_number_verified"] = st.User.Phone, !st.User.PhoneVerifiedAt.IsZero()
	}
	if see.Has(otl.FieldDisplayName) && st.User.DisplayName != "" {
		out["nickname"] = st.User.DisplayName
	}
	if see.Has(otl.FieldUsername) && st.User.Username.Name != "" {
		out["preferred_username"] = st.User.Username.Name
	}
	if see.Has(otl.FieldPicture) && st.User.Picture != "" {
		out["picture"] = st.User.Picture
	}
	if see.Has(otl.FieldLocale) && st.User.Locale != "" {
		out["locale"] = st.User.Locale
	}
	if c.SubjectType != otl.SubjectPairwise {
		out["updated_at"] = st.User.UpdatedAt.Unix()
	}
	return out
}
