package pages

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// entrances are the page on which the owner of a site says what people sign in to it with,
// and when it asks for a second factor.
type entrances struct{ owners }

// waysForm is what the form of that page holds, as it was sent.
type waysForm struct {
	ways, roles  []string
	policy, days string
}

// siteWaysPage is that page.
type siteWaysPage struct {
	At                    string
	Version               int
	Ways, Policies, Roles []option
	Days, MaxDays         string
}

func (p entrances) routes() {
	f := siteForm[waysForm]{p.owners, siteWays, formOf, p.filled, waysForm.change, p.lay}
	at := ownedAt("{id}", siteWays)
	p.get(at, f.look)
	p.post(at, f.sent)
}

// absent reports whether there is a way of this name that does not work at this server. It is
// not offered, and stays as the API has set it.
func (p entrances) absent(way string) bool {
	w := otl.Way(way)
	return otl.AllWays().Has(w) && !signin.Ways{Codes: p.Codes}.Offered(otl.Site{}, w)
}

// formOf gives the form that says what is stored.
func formOf(of otl.Site) waysForm {
	return waysForm{of.Off.Others().Strings(), of.MFARoles, string(of.MFA), strconv.Itoa(of.TrustDays)}
}

// filled gives the form as it was sent. Without any way that works here it has none at all:
// nobody could sign in.
func (p entrances) filled(r *http.Request, of otl.Site) waysForm {
	f := waysForm{slices.DeleteFunc(slices.Clone(r.PostForm[waysField]), p.absent), r.PostForm[rolesField], r.PostForm.Get("mfa_policy"), r.PostForm.Get("trust_days")}
	if len(f.ways) > 0 {
		f.ways = append(f.ways, slices.DeleteFunc(of.Off.Others().Strings(), func(way string) bool { return !p.absent(way) })...)
	}
	return f
}

// change gives what the form asks for.
func (f waysForm) change(otl.Site) site.Change {
	days, err := strconv.Atoi(f.days)
	if err != nil {
		days = -1 // which is refused
	}
	return site.Change{Ways: &f.ways, MFA: &f.policy, MFARoles: &f.roles, TrustDays: &days}
}

// wayWords names the words for a way.
func wayWords(w otl.Way) string {
	switch w {
	case otl.WayPassword:
		return "password"
	case otl.WayCode:
		return "way_email_otp"
	case otl.WaySMS:
		return "way_sms_otp"
	case otl.WayPasskey:
		return "way_webauthn"
	}
	return "way_link"
}

func (p entrances) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, f waysForm, wrong error) error {
	roles, err := p.Roles.List(r.Context(), of.ID)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.about(of, siteWays, "own_ways_heading")
	page := siteWaysPage{At: ownedAt(of.ID, siteWays), Version: of.Version, Days: f.days, MaxDays: strconv.Itoa(otl.MaxTrustDays)}
	for _, way := range otl.AllWays() {
		name := string(way)
		page.Ways = append(page.Ways, option{name, s.Say(wayWords(way)), s.Say("own_" + name + "_hint"), slices.Contains(f.ways, name), p.absent(name)})
	}
	names := slices.Clone(of.MFARoles) // one that is no more may be among them
	for _, role := range roles {
		names = append(names, role.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		page.Roles = append(page.Roles, option{Value: name, On: slices.Contains(f.roles, name)})
	}
	for _, policy := range []otl.MFAPolicy{otl.MFAOff, otl.MFAOptional, otl.MFARequired, otl.MFARoles} {
		if policy != otl.MFARoles || len(names) > 0 {
			page.Policies = append(page.Policies, option{Value: string(policy), Text: s.Say("own_mfa_" + string(policy)), On: f.policy == string(policy)})
		}
	}
	s.Data = page
	return p.present(w, r, s, "siteways.html", wrong)
}
