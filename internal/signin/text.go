package signin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// Ways knows what works at this server.
type Ways struct{ *Codes }

// works reports whether people can sign in in a way at this server as it is set up.
func (s Ways) works(w otl.Way) bool {
	switch w {
	case otl.WayCode, otl.WayLink:
		return s.Messages.Reaches(otl.ChannelMail) == nil
	case otl.WaySMS:
		return len(s.SMS.Numbers) > 0 && s.Messages.Reaches(otl.ChannelSMS) == nil
	case otl.WayPasskey:
		return s.Second.Factors.Keys != nil
	}
	return true
}

// Offered reports whether people can sign in to a site in a way: it takes it, and it works.
func (s Ways) Offered(site otl.Site, w otl.Way) bool { return site.Offers(w) && s.works(w) }

// Mails reports whether links or codes can be mailed for a site: without either nobody becomes
// a person there.
func (s Ways) Mails(site otl.Site) bool {
	return s.Offered(site, otl.WayCode) || s.Offered(site, otl.WayLink)
}

// Shut says why nobody can sign in to a site by any of its ways, "" where somebody can: the
// owner is told, and the operator may be about to change it.
func (s Ways) Shut(site otl.Site) string {
	on := site.Off.Others()
	if slices.ContainsFunc(on, s.works) {
		return ""
	}
	return "Nobody can sign in: of what the site takes (" + strings.ReplaceAll(on.String(), " ", ", ") +
		") nothing works at this server as it is set up. Codes and links need a provider of mail or SMS, passkeys a public URL with a host name."
}

// Texts signs people in on the pages with codes by SMS.
type Texts struct{ Arrivals }

// Offered reports whether somebody delivers SMS, and anywhere, and the site of a visit takes
// their codes.
func (s Texts) Offered(v Visit) bool {
	return Ways{s.Codes}.Offered(v.Site, otl.WaySMS)
}

// Send texts a code to the person with an address, for this visit alone, at the number that
// he has proven to hold: one that somebody else may have written beside his address opens
// nothing (OT-16). What the caller learns is the same where there is no such number, or
// nobody (OT-10).
func (s Texts) Send(ctx context.Context, v Visit, address string) error {
	_, err := s.Codes.Send(ctx, CodeRequest{
		Site: v.Site, Who: Identifier{ByEmail, address}, Channel: otl.ChannelSMS, Proven: true, Quiet: true, Data: map[string]string{dataFlow: v.ID},
	})
	if err != nil {
		return err
	}
	v.called(address, s.Now())
	v.Progress.Texted = true
	return s.save(ctx, v)
}

// called notes that somebody was sent a code who called himself so.
func (v *Visit) called(address string, now time.Time) {
	v.Progress.Call(address)
	v.Progress.Number, v.Progress.Others, v.Progress.SentAt = "", nil, now
	v.Progress.Sends, v.Progress.Missed, v.Progress.Texted = v.Progress.Sends+1, 0, false
}
