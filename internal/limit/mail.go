package limit

import "time"

// Mail says how many mails a site sends that somebody asked for by an address alone
// (OT-19): codes, links, those to choose a password, invitations. 0 is no limit.
type Mail struct {
	PerMinute int
	PerDay    int
}

// Uses is one more such mail of a site, to somebody or to nobody.
func (m Mail) Uses(siteID string) []Use {
	var uses []Use
	for _, r := range []Rate{{"send-site", m.PerMinute, time.Minute}, {"send-site-day", m.PerDay, 24 * time.Hour}} {
		if r.Uses > 0 {
			uses = append(uses, Use{Rate: r, By: []string{siteID}})
		}
	}
	return uses
}
