package session

import (
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// Subjects makes the ids by which clients know people ("sub").
type Subjects struct {
	Key secret.Text // 32 random bytes, of pairwise ids
}

// Of gives the id by which a client knows a person. A pairwise one is the same for all such
// clients of a site, which is their sector, and nobody without the key tells from it who it is
// at another (OpenID Connect Core section 8.1, PR-07).
func (s Subjects) Of(c otl.Client, userID string) string {
	if c.SubjectType != otl.SubjectPairwise {
		return userID
	}
	return secret.DerivedToken([]byte(s.Key.Reveal()), "subject", c.SiteID, userID).Reveal()
}

// ahead gives how far the session version in an access token is ahead of the person's: one that
// rose often would lead from site to site as an id does, so that for each pairwise one it counts
// from elsewhere.
func (s Subjects) ahead(sub string) int {
	if !ValidSubject(otl.SubjectPairwise, sub) {
		return 0
	}
	n, _ := strconv.ParseUint(secret.DerivedToken([]byte(s.Key.Reveal()), "session version", sub).Reveal()[:7], 16, 31)
	return int(n)
}

// ValidSubject reports whether an id has the form of those of one type: who knows people by
// pairwise ids cannot ask about them by others.
func ValidSubject(t otl.SubjectType, sub string) bool {
	if t != otl.SubjectPairwise {
		return secret.ValidID(sub)
	}
	return len(sub) == 64 && strings.Trim(sub, "0123456789abcdef") == ""
}
