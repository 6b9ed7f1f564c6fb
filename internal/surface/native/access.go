package native

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/signin"
)

// access says who may call an operation. Every operation declares one; the zero
// value is no declaration and is refused when the surface is built (TE-03).
type access int

const (
	_             access = iota
	anybody              // no proof at all
	bySite               // a site key with the scope of the operation
	byPerson             // an access token of a person
	bySiteFor            // a site key, and an access token or another proof in the body
	bySiteOrAdmin        // a site key with the scope, or a person with the role admin at his token's site
	bySiteOrOwn          // a site key with the scope for any of its people, or a person for himself
	byHimself            // a first-party access token of a person who has just proven himself, by two factors if he has them
	byOwner              // the same, and he has them (decision D2)
)

// recent is how fresh the proof of identity must be for what hands out power
// (decision D2).
const recent = signin.Recent

// Headers of the wire.
const (
	headerSiteKey     = "X-OTL-Site-Key"
	headerClientIP    = "X-OTL-Client-IP"
	headerClientAgent = "X-OTL-Client-User-Agent"
)

// call is one request on its way through an operation.
type call struct {
	ctx    context.Context
	r      *http.Request
	site   otl.Site // of the site key; empty without one
	key    otl.SiteKey
	bearer *signin.Bearer // nil without an access token
	token  secret.Text    // the access token as sent
	body   []byte         // as sent; nil without one
	ledger *ledger.Ledger
}

// authorise finds out who is calling and whether the operation lets him.
func (s *Surface) authorise(c *call, o *operation) error {
	if o.access == anybody {
		return nil
	}
	// A header that stands twice is one value with a comma in it (RFC 9110 section
	// 5.3): no key and no token, whichever of the two somebody else may read.
	rawKey := strings.Join(c.r.Header.Values(headerSiteKey), ", ")
	if rawKey != "" {
		if err := s.authoriseSite(c, o, rawKey); err != nil {
			return err
		}
	}
	if o.access == bySite {
		return c.needKey(rawKey)
	}
	var err error
	if c.token, err = bearerToken(c.r); err != nil {
		return err
	}
	switch o.access {
	case bySiteFor: // the operation itself weighs the token or what stands in for it
		return nil
	case bySiteOrOwn, bySiteOrAdmin:
		if rawKey != "" && c.token.Empty() {
			return nil
		}
	}
	return s.authorisePerson(c, o)
}

func (c *call) needKey(raw string) error {
	if raw == "" {
		return otl.ErrNoSiteKey
	}
	return nil
}

func (s *Surface) authoriseSite(c *call, o *operation, raw string) error {
	if c.r.Header.Get("Origin") != "" {
		return &otl.Error{
			Kind: otl.Forbidden, Code: "site_key_in_browser",
			Text: "A site key belongs on your server. This request came from a browser.",
		}
	}
	key, site, err := s.Sites.Authenticate(c.ctx, secret.NewText(raw))
	if err != nil {
		return err
	}
	req := otl.RequestOf(c.ctx)
	req.SiteID, req.SiteKeyID = site.ID, key.ID
	if o.scope != "" && !key.Scopes.Has(o.scope) {
		return &otl.Error{Kind: otl.Forbidden, Code: "scope_missing", Text: "This site key lacks the scope " + string(o.scope) + "."}
	}
	c.key, c.site = key, site
	req.By = otl.Actor{Kind: otl.ActorSiteKey, ID: key.ID}
	// The site's server calls for a person; where he sits only the site can say
	// (contract 1.11).
	req.Client, req.UserAgent = netip.Addr{}, c.r.Header.Get(headerClientAgent)
	if ip, err := netip.ParseAddr(c.r.Header.Get(headerClientIP)); err == nil {
		req.Client = ip.Unmap().WithZone("")
	}
	return nil
}

func (s *Surface) authorisePerson(c *call, o *operation) error {
	b, err := s.SignIn.Authenticate(c.ctx, c.token)
	if err != nil {
		return err
	}
	if c.site.ID != "" && b.Site.ID != c.site.ID {
		return otl.ErrToken // a token of one site with the key of another (TE-04)
	}
	c.bearer = &b
	req := otl.RequestOf(c.ctx)
	req.SiteID, req.By = b.Site.ID, otl.Actor{Kind: otl.ActorPerson, ID: b.User.ID}
	if o.access == bySiteOrAdmin {
		return c.asAdmin(b)
	}
	if o.access != byOwner && o.access != byHimself {
		return nil
	}
	if !b.Site.FirstParty {
		return &otl.Error{Kind: otl.Forbidden, Code: "role_missing", Text: "This needs a first-party access token, not one of a site: people do it on the pages under /account."}
	}
	if o.access == byOwner && !b.Session.Methods.Strong() {
		return factor.ErrUnproven
	}
	return s.proven(c.ctx, &b)
}

// proven asks for a sign-in of the last 15 minutes, by two factors where the person has
// them.
func (s *Surface) proven(ctx context.Context, b *signin.Bearer) error {
	if signin.Late(b.Session, s.Now()) {
		return &otl.Error{Kind: otl.Unauthenticated, Code: codeRecent, Text: "Sign in again: this needs a sign-in of the last 15 minutes."}
	}
	ok, err := s.SignIn.Proven(ctx, b.Standing)
	if err == nil && !ok {
		err = factor.ErrUnproven
	}
	return err
}

// asAdmin lets a person with the role admin act for the site of his token.
func (c *call) asAdmin(b signin.Bearer) error {
	if b.Site.FirstParty || !slices.Contains(b.Grant.Roles, otl.RoleAdmin) {
		return &otl.Error{Kind: otl.Forbidden, Code: "role_missing", Text: "This needs a site key, or the role admin at the site."}
	}
	c.site = b.Site
	return nil
}

// caller names who is counted for the pace of requests: the site key, else the
// session, else nobody, who is counted by what he tries.
func (c *call) caller() string {
	switch {
	case c.key.ID != "":
		return c.key.ID
	case c.bearer != nil:
		return c.bearer.Session.ID
	}
	return ""
}

// bearerToken gives the access token of a request, or an empty text where there
// is no Authorization. One that holds anything else is an error rather than
// nothing: with a site key beside it, nothing would mean that the site itself
// acts, which is more than the person may. The scheme is read without regard to
// case (RFC 9110 section 11.1); a token in the query is never looked at (SE-18).
func bearerToken(r *http.Request) (secret.Text, error) {
	sent := r.Header.Values("Authorization")
	if len(sent) == 0 {
		return secret.Text{}, nil
	}
	scheme, token, _ := strings.Cut(strings.Join(sent, ", "), " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return secret.Text{}, otl.ErrTokenMissing
	}
	return secret.NewText(token), nil
}
