package limit

import (
	"slices"
	"strings"
)

// premium are ranges of numbers that cost whoever sends there more than others, or pay
// somebody for it: what international numbering sets apart (ITU-T E.164: shared cost,
// satellites, personal and premium numbers), and by country the premium, shared-cost and
// personal numbers of the national plans. Mobile numbers are in none of them.
var premium = [...]string{
	"800", "808", "870", "878", "881", "882", "883", "888", "979",
	"1900",                    // North America
	"31900", "31906", "31909", // Netherlands
	"3290",                             // Belgium
	"338",                              // France
	"34803", "34806", "34807", "34905", // Spain
	"35176",            // Portugal
	"358600", "358700", // Finland
	"3989",                    // Italy
	"41900", "41901", "41906", // Switzerland
	"42090",        // Czechia
	"4390", "4393", // Austria
	"449", "44871", "44872", "44873", "4470", // United Kingdom
	"4590",                    // Denmark
	"46900", "46939", "46944", // Sweden
	"47820", "47829", // Norway
	"4870",                    // Poland
	"49118",                   // Germany: directory enquiries,
	"49137", "49180", "49900", // televoting, service, premium
	"6119",         // Australia
	"7803", "7809", // Russia
}

// covers reports whether SMS are sent to a number where calling codes are named, "*" for
// all. A range that is premium has to be named itself, as "449" is.
func covers(codes []string, number string) bool {
	digits := strings.TrimPrefix(number, "+")
	least := 0
	for _, p := range premium {
		if strings.HasPrefix(digits, p) {
			least = max(least, len(p))
		}
	}
	return slices.ContainsFunc(codes, func(code string) bool {
		return code == "*" && least == 0 || len(code) >= least && strings.HasPrefix(digits, code)
	})
}
