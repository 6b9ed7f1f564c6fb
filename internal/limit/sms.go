package limit

import (
	"context"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// SMS says where SMS are sent and how many (OT-20).
type SMS struct {
	Limits   *Limits
	Numbers  []string // calling codes, "*" for all
	DailyCap int      // of one site
}

// ErrNumber is the answer where SMS are not sent to a country.
var ErrNumber = &otl.Error{Kind: otl.Forbidden, Code: "sms_not_allowed", Text: "SMS are not sent to this country."}

// Reaches reports whether SMS are sent to a number, and counts it among its
// neighbours: numbers that differ in the last four digits alone are often one
// owner's, who is paid for what they receive.
func (s SMS) Reaches(ctx context.Context, number string) error {
	if !slices.ContainsFunc(s.Numbers, func(code string) bool { return code == "*" || strings.HasPrefix(number, "+"+code) }) {
		return ErrNumber
	}
	return s.Limits.Take(ctx, Use{Rate: SMSNeighbours, By: []string{number[:max(len(number)-4, 0)]}})
}

// Day is one more SMS of a site.
func (s SMS) Day(siteID string) Use { return Use{Rate: SMSADay(s.DailyCap), By: []string{siteID}} }
