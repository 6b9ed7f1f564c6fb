package signin

import (
	"context"

	"github.com/onetimelogin/otl/internal/otl"
)

// dataVisit marks, among what is more of a visit, that its client demanded it: it knows
// no challenge to verify its code by.
const dataVisit = "visit"

// Demand begins a visit that no browser belongs to yet, for a client whose person is to
// prove two factors: the first by a link that the client has mailed, which leads to it,
// the second on our pages. It gives the id of the visit; the code at its end is
// Exchange's, which asks for no address with it, as for the codes of links (decision
// D13).
//
// A link alone, never a code that is entered at the client: whoever presses the link of
// a visit is let in at our own pages, and what came of a code would be pressed by a site
// that was only told a code (D1, OT-18).
func (s Arrivals) Demand(ctx context.Context, site otl.Site, client string, a otl.Asked) (string, error) {
	a.Client, a.Factors = client, 2
	a.More = withData(map[string]string{dataVisit: "demanded"}, a.More)
	f, err := s.Begin(ctx, site, NewBrowser(), a)
	return f.ID, err
}
