package pages

import (
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/signin"
)

// deviceCard is a device that somebody trusts.
type deviceCard struct{ ID, Label, Text string }

func (p securities) devices() factor.Devices { return factor.Devices{Factors: p.Factors.Factors} }

// trusted gives the devices that the person of a visit trusts.
func (p securities) trusted(r *http.Request, s screen, v signin.Visit) ([]deviceCard, error) {
	all, err := p.devices().List(r.Context(), v.Who.User.ID, "")
	out := make([]deviceCard, len(all))
	for i, d := range all {
		date := func(key string, at time.Time) string { return s.With("date", s.day(at)).Say(key) }
		own := d.Site.ID == p.Flows.FirstParty
		out[i] = deviceCard{d.ID, device(s, d.Agent, own), date("factor_since", d.CreatedAt)}
		if !own && d.Site.Name != "" {
			out[i].Text = isolate(d.Site.Name) + s.Say("comma") + out[i].Text
		}
		if !d.LastUsedAt.IsZero() {
			out[i].Text += s.Say("comma") + date("factor_used", d.LastUsedAt)
		}
		if !p.Now().Before(d.ExpiresAt) {
			out[i].Text += s.Say("comma") + s.Say("device_asleep")
		}
	}
	return out, err
}

// device gives what a trusted device is, or whose it is where it did not say: of our own pages
// or of a site.
func device(s screen, agent string, own bool) string {
	switch {
	case agent != "":
		return agent
	case own:
		return s.Say("unknown_browser")
	}
	return s.Say("by_site")
}

// forget has a device trusted no more.
func (p securities) forget(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := p.proven(w, r, security)
	if err != nil || !ok {
		return err
	}
	if err := p.devices().Forget(r.Context(), v.Who.User.ID, r.PathValue("id")); err != nil {
		return err
	}
	p.again(w, r)
	return nil
}
