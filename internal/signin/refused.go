package signin

import (
	"context"
	"slices"

	"github.com/onetimelogin/otl/internal/otl"
)

// refusals are the answers to programs that may not what they ask for: their key or secret
// is no good, or not good for this. What is the matter with a person's token is none: tokens
// end all day, and what fails at a sign-in is noted there.
func refusals() []string {
	return []string{otl.ErrSiteKey.Code, "site_key_in_browser", "scope_missing", "role_missing", "invalid_client", "first_party_required"}
}

// Refused notes a call that was refused, if the request it is of ended so: whose key it was
// as far as that is proven, where from, what was called and why (AU-01). It is counted as
// sign-ins that fail are.
func (f *Failures) Refused(ctx context.Context, operation string) {
	r := otl.RequestOf(ctx)
	code := otl.As(r.Err).Code
	if f == nil || r.Err == nil || !slices.Contains(refusals(), code) {
		return
	}
	if r.By.Kind == "" && r.SiteKeyID != "" { // the key is good, though not for this
		r.By = otl.Actor{Kind: otl.ActorSiteKey, ID: r.SiteKeyID}
	}
	f.count(ctx, failure{site: r.SiteID, refused: true, operation: operation}, code)
}
