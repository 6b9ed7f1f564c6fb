package otl

import (
	"slices"
	"strings"
	"time"
)

// Filter is a condition on people in the grammar of RFC 7644 section 3.4.2.2: a
// comparison, or and, or, not over Parts.
type Filter struct {
	Op    Op
	Parts []Filter  // of and and or; the one of not
	Attr  Attribute // of a comparison
	Name  string    // of AttrTrait: which
	Text  string    // what a text is compared with
	Time  time.Time // what a time is compared with
	Yes   bool      // what a truth is compared with
}

// Op is an operator of a filter.
type Op string

// The operators. The last ones compare: equal, not equal, contains, begins with, ends
// with, after, not before, before, not after, is there at all.
const (
	OpAnd Op = "and"
	OpOr  Op = "or"
	OpNot Op = "not"

	OpEqual    Op = "eq"
	OpUnequal  Op = "ne"
	OpContains Op = "co"
	OpBegins   Op = "sw"
	OpEnds     Op = "ew"
	OpAfter    Op = "gt"
	OpNotEarly Op = "ge"
	OpBefore   Op = "lt"
	OpNotLate  Op = "le"
	OpPresent  Op = "pr"
)

// Attribute is what a filter can ask of a person.
type Attribute string

// The attributes. Texts are compared without regard to case, but for ids and roles; AttrActive
// is a truth; the last ones are times.
const (
	AttrID         Attribute = "id"
	AttrExternalID Attribute = "external_id"
	AttrEmail      Attribute = "email"
	AttrPhone      Attribute = "phone"
	AttrUsername   Attribute = "username"
	AttrName       Attribute = "name"
	AttrTrait      Attribute = "trait" // a text that the site finds people by, under a name of its own
	AttrRole       Attribute = "role"  // one he has at the site
	AttrActive     Attribute = "active"
	AttrCreated    Attribute = "created_at"
	AttrUpdated    Attribute = "updated_at"
	AttrLastLogin  Attribute = "last_login_at"
)

// Operators gives the operators an attribute knows, separated by blanks.
func (a Attribute) Operators() string {
	switch a {
	case AttrID, AttrExternalID, AttrActive:
		return "eq ne pr"
	case AttrRole:
		return "eq"
	case AttrCreated, AttrUpdated, AttrLastLogin:
		return "eq ne gt ge lt le pr"
	}
	return "eq ne co sw ew pr"
}

// Takes reports whether an attribute knows an operator.
func (a Attribute) Takes(op Op) bool {
	return slices.Contains(strings.Fields(a.Operators()), string(op))
}
