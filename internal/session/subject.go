package session

import (
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

// ValidSubject reports whether an id has the form of those of one type: who knows people by
// pairwise ids cannot ask about them by others.
func ValidSubject(t otl.SubjectType, sub string) bool {
	if t != otl.SubjectPairwise {
		return secret.ValidID(sub)
	}
	return len(sub) == 64 && strings.Trim(sub, "0123456789abcdef") == ""
}
