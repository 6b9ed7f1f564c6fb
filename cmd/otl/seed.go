package main

import (
	"context"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
)

// The people of a development world. Their passwords are public, and so are the
// seeds of their authenticator apps.
const (
	userEmail     = "jane@dev.test"
	userPassword  = "correct-horse-7"
	userPhone     = "+491705550100"
	userUsername  = "jane.doe"
	ownerEmail    = "owner@dev.test"
	ownerPassword = "battery-staple-9"
	mfaEmail      = "mfa@dev.test"
	mfaPassword   = "correct-staple-8"
	mfaPhone      = "+491705550142"

	mfaSeed   = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	ownerSeed = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"

	callbackPath  = "/auth/callback" // of the demo sites
	notesCallback = "http://localhost:8788" + callbackPath
	shopCallback  = "http://localhost:8789" + callbackPath
)

// world is what a development world holds.
type world struct {
	url         string
	notesURL    string // of the demo sites
	shopURL     string
	notes, shop site.Registered
	client      site.MadeClient
	user, owner otl.User
	mfa         otl.User // has an authenticator app and a telephone as second factors
	remarks     []string // what whoever starts it should know
}

// seed makes what a development world lacks and finds what it has. The site keys
// follow from the master key, so that they are the same at every start without
// being stored.
func seed(ctx context.Context, n *node.Node) (world, error) {
	var w world
	var err error
	if err = throwAway(ctx, n); err != nil {
		return w, err
	}
	if err = n.Installation.Maintain(ctx); err != nil { // whatever starting leaves for later
		return w, err
	}
	if w.owner, err = seedUser(ctx, n, account.Creation{
		Email: ownerEmail, Password: secret.NewText(ownerPassword), Verified: true,
		Profile: account.Profile{Name: ptr("Olivia Owner")},
	}); err != nil {
		return w, err
	}
	if w.notes, err = seedSite(ctx, n, "notes", site.Registration{
		Owner: w.owner.ID, Business: "Acme", Name: "Notes",
		Domain: "localhost:8788", Callbacks: []string{notesCallback},
	}, &w.remarks); err != nil {
		return w, err
	}
	if w.shop, err = seedSite(ctx, n, "shop", site.Registration{
		Owner: w.owner.ID, Name: "Shop",
		Domain: "localhost:8789", Callbacks: []string{shopCallback},
	}, &w.remarks); err != nil {
		return w, err
	}
	if w.client, err = seedClient(ctx, n, w.notes.Site.ID); err != nil {
		return w, err
	}
	w.user, err = seedUser(ctx, n, account.Creation{
		Email: userEmail, Password: secret.NewText(userPassword), Site: &w.notes.Site, Verified: true,
		Profile: account.Profile{Name: ptr("Jane Doe"), Username: ptr(userUsername), Phone: ptr(userPhone)},
	})
	if err != nil {
		return w, err
	}
	if w.mfa, err = seedUser(ctx, n, account.Creation{
		Email: mfaEmail, Password: secret.NewText(mfaPassword), Site: &w.notes.Site, Verified: true,
		Profile: account.Profile{Name: ptr("Max Factor"), Phone: ptr(mfaPhone)},
	}); err != nil {
		return w, err
	}
	if err := seedFactors(ctx, n, w.mfa, mfaSeed, mfaPhone); err != nil {
		return w, err
	}
	return w, seedFactors(ctx, n, w.owner, ownerSeed, "")
}

// seedFactors gives a person an authenticator app, and a telephone unless phone is "",
// if he has no second factor.
func seedFactors(ctx context.Context, n *node.Node, u otl.User, shown, phone string) error {
	has, err := n.Setup.List(ctx, u)
	if err != nil || len(has.Factors) > 0 {
		return err
	}
	seed, err := secret.ParseTOTPSeed(shown)
	if err != nil {
		return err
	}
	if _, err := n.Setup.Give(ctx, u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: seed}); err != nil || phone == "" {
		return err
	}
	_, err = n.Setup.Give(ctx, u, factor.Given{New: factor.New{Kind: otl.FactorSMS, Number: phone}})
	return err
}

// throwAway refuses a database that holds people and was not made by `otl dev`:
// its people have public passwords.
func throwAway(ctx context.Context, n *node.Node) error {
	people, err := n.Store.Read.Users.List(ctx, "", 1)
	if err != nil || len(people) == 0 {
		return err
	}
	if _, err = n.Accounts.Find(ctx, ownerEmail); otl.Is(err, "not_found") {
		return unsafeError{
			"this database holds people and was not made by otl dev, which would add some with public passwords",
			"otl serve, or otl dev --data DIR for a world of its own",
		}
	}
	return err
}

func seedUser(ctx context.Context, n *node.Node, c account.Creation) (otl.User, error) {
	u, err := n.Accounts.Find(ctx, c.Email)
	if otl.Is(err, "not_found") {
		m, err := n.Accounts.Create(ctx, c)
		return m.User, err
	}
	return u, err
}

// seedSite finds or makes a site, and sees to it that what dev.env says of it is
// true: somebody may have changed it with other commands. What cannot be mended
// becomes a remark.
func seedSite(ctx context.Context, n *node.Node, slug string, r site.Registration, remarks *[]string) (site.Registered, error) {
	key := secret.DerivedKey(site.KeyPrefix, n.Master.Derive("dev site key "+slug))
	s, err := n.Sites.Get(ctx, slug)
	if otl.Is(err, "not_found") {
		r.Slug, r.Key = slug, key
		return n.Sites.Register(ctx, r)
	}
	if err != nil {
		return site.Registered{}, err
	}
	for _, url := range r.Callbacks {
		if err := n.Sites.AddCallback(ctx, s.ID, url); err != nil {
			return site.Registered{}, err
		}
	}
	if _, _, err = n.Sites.Authenticate(ctx, key); otl.Is(err, "site_key_unknown") {
		_, err = n.Sites.CreateKey(ctx, s.ID, site.NewKey{Name: "first key", Scopes: otl.AllScopes(), Key: key})
		if otl.Is(err, "site_key_exists") { // then it was revoked or has expired
			*remarks = append(*remarks, "the key of "+s.Name+" in dev.env was revoked; otl dev --reset makes another")
			err = nil
		}
	}
	return site.Registered{Site: s, Key: key}, err
}

// seedClient finds or makes the client of a site.
func seedClient(ctx context.Context, n *node.Node, siteID string) (site.MadeClient, error) {
	given := secret.DerivedKey(site.ClientPrefix, n.Master.Derive("dev client secret"))
	all, err := n.Clients.List(ctx, siteID)
	if err != nil {
		return site.MadeClient{}, err
	}
	for _, c := range all {
		if _, _, err := n.Clients.Authenticate(ctx, c.ID, given); err == nil {
			return site.MadeClient{Client: c, Secret: given}, nil
		}
	}
	return n.Clients.Create(ctx, siteID, site.NewClient{Name: "dev", Secret: given, Scopes: otl.AllScopes(), RedirectURIs: []string{notesCallback}})
}

func ptr[T any](v T) *T { return &v }

// env gives the lines of dev.env.
func (w world) env() [][2]string {
	return [][2]string{
		{"OTL_URL", w.url},
		{"OTL_SITE_ID", w.notes.Site.ID},
		{"OTL_SITE_KEY", w.notes.Key.Reveal()},
		{"OTL_CALLBACK_URL", w.notesURL + callbackPath},
		{"OTL_SUBDOMAIN", w.notes.Site.Slug},
		{"OTL_CLIENT_ID", w.client.ID},
		{"OTL_CLIENT_SECRET", w.client.Secret.Reveal()},
		{"OTL_REDIRECT_URI", notesCallback},
		{"OTL_SITE2_ID", w.shop.Site.ID},
		{"OTL_SITE2_KEY", w.shop.Key.Reveal()},
		{"OTL_SITE2_CALLBACK_URL", w.shopURL + callbackPath},
		{"OTL_USER_ID", w.user.ID},
		{"OTL_USER_EMAIL", userEmail},
		{"OTL_USER_PASSWORD", userPassword},
		{"OTL_USER_USERNAME", w.user.Username.Name},
		{"OTL_USER_PHONE", w.user.Phone},
		{"OTL_OWNER_EMAIL", ownerEmail},
		{"OTL_MFA_EMAIL", mfaEmail},
		{"OTL_MFA_PASSWORD", mfaPassword},
		{"OTL_MFA_TOTP_SECRET", mfaSeed},
		{"OTL_MFA_PHONE", mfaPhone},
		{"OTL_OWNER_PASSWORD", ownerPassword},
		{"OTL_OWNER_TOTP_SECRET", ownerSeed},
	}
}
