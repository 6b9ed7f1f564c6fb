package factor

import (
	"context"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// Factors keeps people's second factors.
type Factors struct {
	Store    *store.Store
	Master   secret.Master
	Limits   *limit.Limits
	SMS      limit.SMS
	Messages *message.Messages
	Keys     *Keys // nil where the installation has no host name for passkeys
	Now      func() time.Time

	Key    []byte // of the digests of codes; 32 bytes
	Length int    // digits of a code that is sent
	Tries  int    // wrong guesses that make it worthless
	Home   string // id of the first-party site
}

// Errors of the second step.
var (
	// ErrEnrolment is the answer where a site demands a second factor of somebody
	// who has none.
	ErrEnrolment = &otl.Error{Kind: otl.Forbidden, Code: "mfa_enrollment_required", Text: "This site asks for a second factor and the person has none. It is set up at the pages of this server."}
	// ErrKind is the answer where none of the person's factors is of another kind
	// than what he has just proven himself with (MF-06).
	ErrKind = &otl.Error{Kind: otl.Forbidden, Code: "mfa_kind", Text: "No second factor of the person differs in kind from how he signed in. Sign in in another way."}
	// ErrLeaving is the answer to somebody who asked for his account to be deleted: he can
	// take that back at our own pages, and goes nowhere else meanwhile.
	ErrLeaving = &otl.Error{Kind: otl.Forbidden, Code: "account_leaving", Text: "The person asked for the account to be deleted. Signing in at the pages of this server he can take that back."}
	// ErrProof is the answer to a wrong proof of a second factor.
	ErrProof = &otl.Error{Kind: otl.Unauthenticated, Code: "mfa_code_invalid", Text: "The code is wrong, was used already or has expired."}
	// ErrReused is the answer to a right code of an app that was accepted before, or that one
	// behind it was (MF-01). It is an ErrProof too.
	ErrReused = (&otl.Error{Kind: otl.Unauthenticated, Code: "totp_reused", Text: "The code was used already. Wait for the next one."}).Because(ErrProof)
	// ErrNone is the answer to the id of a factor that the person does not have:
	// somebody else's is as unknown as one that never was (MF-04).
	ErrNone = &otl.Error{Kind: otl.NotFound, Code: "mfa_factor_unknown", Text: "No such factor."}
)

// Pass says that nothing more is asked of somebody before a session is opened for him
// at a site. Only Admit makes one that is good.
type Pass struct {
	user, site string
	methods    otl.Methods
	device     otl.Ticket // that stood in for the second step; its id is "" for none
}

// Good reports whether the pass is one for a person at a site.
func (p Pass) Good(userID, siteID string) bool {
	return p.user != "" && p.user == userID && p.site == siteID
}

// Methods gives how the person has proven who he is.
func (p Pass) Methods() otl.Methods { return p.methods }

// Offer is a factor that a person may use for his second step.
type Offer struct {
	otl.Factor
	Hint string // end of the number, or the address in part; "" for other kinds
	// Options are for navigator.credentials.get, as JSON, where the factor is a key that
	// was just asked for; "" otherwise.
	Options string
}

// Admit decides whether somebody who has proven himself by some methods gets a
// session at a site: from the policy of the site, what he is there, the factors he
// has and the device he uses, read in the transaction that opens the session (MF-02).
// It gives a pass, or the factors to choose from for the step that is due, or
// ErrLeaving, ErrEnrolment or ErrKind. St needs person, site and grant; device is the digest of
// the token of a trusted device.
func (f *Factors) Admit(ctx context.Context, tx *store.Tx, st store.Standing, methods otl.Methods, device []byte) (Pass, []Offer, error) {
	if !st.User.DeleteAt.IsZero() && !st.Site.FirstParty {
		return Pass{}, nil, ErrLeaving
	}
	pass, wished := Pass{user: st.User.ID, site: st.Site.ID, methods: methods}, st.Site.MFA == otl.MFAWished
	if st.Site.MFA == otl.MFAOff || methods.Strong() {
		return pass, nil, nil
	}
	demanded, err := Demands(ctx, tx, st)
	if err != nil {
		return Pass{}, nil, err
	}
	has, err := tx.Factors.Of(ctx, st.User.ID)
	if err != nil {
		return Pass{}, nil, err
	}
	if !enrolled(has) {
		if demanded {
			return Pass{}, nil, ErrEnrolment
		}
		return pass, nil, nil
	}
	if !demanded && !wished && len(device) > 0 {
		pass.device, err = f.Trusted(ctx, tx, st, device)
		if err != nil || pass.device.ID != "" {
			return pass, nil, err
		}
	}
	offers := offer(st.User, has, methods, f.Now())
	if reach(methods, offers) < 2 {
		if wished {
			return pass, nil, nil
		}
		return Pass{}, nil, ErrKind
	}
	return Pass{}, offers, nil
}

// Demands reports whether a site asks two factors of somebody once he is let in: who was never there, or has left, gets
// the roles of whoever joins it. Nobody joins our own pages. St needs site and grant; without a grant it is about whoever joins.
func Demands(ctx context.Context, tx *store.Tx, st store.Standing) (bool, error) {
	if st.Site.MFA != otl.MFARoles || st.Site.FirstParty || st.Grant.Live() {
		return st.Site.Demands(st.Grant.Roles), nil
	}
	roles, err := tx.Roles.Defaults(ctx, st.Site.ID)
	return st.Site.Demands(roles), err
}

// enrolled reports whether somebody has a factor: recovery codes alone are none.
func enrolled(has []otl.Factor) bool {
	for _, one := range has {
		if one.Kind != otl.FactorRecovery {
			return true
		}
	}
	return false
}

// offer gives those of a person's factors that differ in kind from what he has used.
func offer(u otl.User, has []otl.Factor, used otl.Methods, now time.Time) []Offer {
	var out []Offer
	for _, one := range has {
		if usable(u, one, used, now) {
			out = append(out, Offer{Factor: one, Hint: hint(u, one)})
		}
	}
	return out
}

// usable reports whether a factor is confirmed, differs in kind from what was used
// and, where it is an address, was proven and not changed by a site a short while ago.
func usable(u otl.User, one otl.Factor, used otl.Methods, now time.Time) bool {
	if one.Kind == otl.FactorMail && (u.EmailVerifiedAt.IsZero() || u.Held(otl.ChannelMail, "", now)) {
		return false
	}
	return !one.ConfirmedAt.IsZero() && used.Adds(one.Kind.Method())
}

// reach gives how many kinds of proof somebody could have given in the end.
func reach(methods otl.Methods, offers []Offer) int {
	for _, o := range offers {
		methods = methods.With(o.Kind.Method())
	}
	return methods.Factors()
}

// hint gives what of a number or an address is shown to somebody who may not be him.
func hint(u otl.User, f otl.Factor) string {
	switch f.Kind {
	case otl.FactorSMS:
		return otl.Masked(f.Target)
	case otl.FactorMail:
		return otl.Masked(u.Email.Address)
	}
	return ""
}
