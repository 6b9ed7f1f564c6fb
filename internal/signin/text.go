package signin

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
)

// Texts signs people in on the pages with codes by SMS.
type Texts struct{ Arrivals }

// Offered reports whether somebody delivers SMS, and anywhere, and the site of a visit takes
// their codes.
func (s Texts) Offered(v Visit) bool {
	return v.Site.Offers(otl.WaySMS) && len(s.Codes.SMS.Numbers) > 0 && s.Codes.Messages.Reaches(otl.ChannelSMS) == nil
}

// Send texts a code to the person with an address, for this visit alone, at the number that
// he has proven to hold: one that somebody else may have written beside his address opens
// nothing (OT-16). What the caller learns is the same where there is no such number, or
// nobody (OT-10).
func (s Texts) Send(ctx context.Context, v Visit, address string) error {
	_, err := s.Codes.Send(ctx, CodeRequest{
		Site: v.Site, Who: Identifier{ByEmail, address}, Channel: otl.ChannelSMS, Proven: true, Data: map[string]string{dataFlow: v.ID},
	})
	if err != nil {
		return err
	}
	v.Progress.Call(address)
	v.Progress.Number, v.Progress.Others, v.Progress.SentAt = "", nil, s.Now()
	v.Progress.Sends, v.Progress.Missed, v.Progress.Texted = v.Progress.Sends+1, 0, true
	return s.save(ctx, v)
}
