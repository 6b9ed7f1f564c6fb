package onelogin

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
)

// asking is what people are asked for, and what of them.
type asking struct {
	account.Query
	paging
	ids   []int // numbers of those alone, nil for all
	roles []int // numbers of roles of which they have one, nil for any
}

// notAllowed refuses what nothing is asked for by. To pass it over would answer with what nobody
// asked for.
func notAllowed(name string) error {
	return literal(http.StatusBadRequest, "query parameter(s) not allowed: "+name)
}

// question reads what people are asked for.
func question(in url.Values) (q asking, err error) {
	if q.paging, err = newPaging(in); err != nil {
		return q, err
	}
	for name, values := range in {
		known, err := q.add(name, values[0])
		if err == nil && !known {
			err = q.ask(name, values)
		}
		if err == nil && len(q.Filter.Parts) > maxConditions {
			err = invalid(name, "is one condition more than "+strconv.Itoa(maxConditions))
		}
		if err != nil {
			return q, err
		}
	}
	sorts := map[string]otl.Attribute{"": "", "id": "", "created_at": otl.AttrCreated, "updated_at": otl.AttrUpdated, "last_login": otl.AttrLastLogin}
	attr, known := sorts[q.by]
	if !known {
		return q, unsorted(q.by)
	}
	q.Sort, q.Desc, q.Limit, q.Offset = attr, q.desc, q.limit, q.offset()
	return q, nil
}

// How many people, and people of how many roles, can be asked for by their numbers, and by how many
// other conditions at once.
const (
	maxAsked      = 200
	maxRoles      = otl.MaxUserRoles
	maxConditions = 10
)

// ask reads one condition; lists of ids may stand there several times.
func (q *asking) ask(name string, values []string) error {
	value := values[0]
	switch name {
	case "user_ids", "id":
		return readIDs(&q.ids, maxAsked, name, strings.Join(values, ","))
	case "role_ids", "role_id":
		return readIDs(&q.roles, maxRoles, name, strings.Join(values, ","))
	}
	if len(values) > 1 {
		return invalid(name, "stands there twice")
	}
	switch name {
	case "app_id":
		q.with(nobody()) // there are no apps
		return nil
	case "since", "until":
		return q.since("created_"+name, value)
	}
	f, known, err := comparing(name, value)
	if err == nil && known {
		q.with(f)
	}
	if err != nil || known {
		return err
	}
	return q.since(name, value)
}

// readIDs reads numbers that are asked for, of which there can be one list.
func readIDs(ids *[]int, most int, name, value string) (err error) {
	all := commas(value)
	if *ids != nil {
		return invalid(name, "cannot stand beside the other list of ids")
	}
	if *ids = make([]int, len(all)); len(all) == 0 || len(all) > most {
		return invalid(name, "must be 1 to "+strconv.Itoa(most)+" ids")
	}
	for i, one := range all {
		if (*ids)[i], err = strconv.Atoi(one); err != nil {
			return invalid(name, "must be ids with commas between them")
		}
	}
	return nil
}

// nobody is a condition that nobody meets.
func nobody() otl.Filter { return otl.Filter{Attr: otl.AttrID, Op: otl.OpEqual} }

// with adds a condition that has to be met too.
func (q *asking) with(more ...otl.Filter) {
	q.Filter = otl.Filter{Op: otl.OpAnd, Parts: append(q.Filter.Parts, more...)}
}

// comparing gives the condition of a filter that is a text. A name is kept whole: the first one is
// what stands before the first blank, and the last one may have any number of words.
func comparing(name, value string) (f otl.Filter, known bool, err error) {
	switch name {
	case "email":
		f, err = matching(name, otl.Filter{Attr: otl.AttrEmail}, value)
	case "username": // who has none is known by his address
		f, err = matching(name, otl.Filter{Attr: otl.AttrUsername}, value)
		if byMail := f; f.Attr == otl.AttrUsername {
			byMail.Attr = otl.AttrEmail
			none := otl.Filter{Op: otl.OpNot, Parts: []otl.Filter{{Attr: otl.AttrUsername, Op: otl.OpPresent}}}
			f = otl.Filter{Op: otl.OpOr, Parts: []otl.Filter{f, {Op: otl.OpAnd, Parts: []otl.Filter{none, byMail}}}}
		}
	case "external_id":
		f, err = matching(name, otl.Filter{Attr: otl.AttrExternalID}, value)
	case "firstname":
		f, err = matching(name, otl.Filter{Attr: otl.AttrName}, value)
		switch {
		case err == nil && f.Op == otl.OpEqual:
			f = otl.Filter{Op: otl.OpOr, Parts: []otl.Filter{f, {Attr: otl.AttrName, Op: otl.OpBegins, Text: value + " "}}}
		case err == nil && f.Op != otl.OpBegins:
			err = invalid(name, "may have a * at its end alone")
		}
	case "lastname":
		f = otl.Filter{Attr: otl.AttrName, Op: otl.OpEnds, Text: " " + value}
		if strings.Contains(value, "*") {
			err = invalid(name, "may have no *")
		}
	default:
		member, attribute, dotted := strings.Cut(name, ".")
		if known = dotted && member == customAttributes && isAttribute(attribute) || isTrait(name); known {
			f, err = matching(name, otl.Filter{Attr: otl.AttrTrait, Name: name}, value)
		}
		return f, known, err
	}
	return f, true, err
}

// matching completes a condition on a text: a * at an end of a value stands for anything.
func matching(name string, f otl.Filter, value string) (otl.Filter, error) {
	begins, ends := strings.HasSuffix(value, "*"), strings.HasPrefix(value, "*")
	f.Text = strings.TrimPrefix(strings.TrimSuffix(value, "*"), "*")
	switch {
	case f.Text == "":
		f.Op = otl.OpPresent
		if !begins {
			return nobody(), nil // whoever has none cannot be asked for
		}
	case begins && ends:
		f.Op = otl.OpContains
	case begins:
		f.Op = otl.OpBegins
	case ends:
		f.Op = otl.OpEnds
	default:
		f.Op = otl.OpEqual
	}
	if strings.Contains(f.Text, "*") || !f.Attr.Takes(f.Op) {
		return f, invalid(name, "has a * where none may stand")
	}
	return f, nil
}

// since reads a filter that is a time: created_since, last_login_until and the like.
func (q *asking) since(name, value string) error {
	what, end, _ := cutLast(name)
	attr := map[string]otl.Attribute{"created": otl.AttrCreated, "updated": otl.AttrUpdated, "last_login": otl.AttrLastLogin}[what]
	op := map[string]otl.Op{"since": otl.OpNotEarly, "until": otl.OpNotLate}[end]
	if attr == "" || op == "" {
		return notAllowed(name)
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		at, err = time.Parse(time.DateOnly, value)
	}
	if err != nil || at.Year() < 1 {
		return invalid(name, "must be a time such as 2026-01-02T03:04:05Z")
	}
	q.with(otl.Filter{Attr: attr, Op: otl.OpPresent}, otl.Filter{Attr: attr, Op: op, Time: at}) // who never signed in did so at no time
	return nil
}

// cutLast cuts a name at its last underscore.
func cutLast(name string) (before, after string, found bool) {
	i := strings.LastIndexByte(name, '_')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// among asks for people by their numbers, and by those of roles. One that stands for nothing of the site's is
// passed over.
func (s people) among(c *call, q *asking) error {
	if q.roles != nil {
		all, err := roles(s).numbered(c)
		if err != nil {
			return err
		}
		have := otl.Filter{Op: otl.OpOr, Parts: []otl.Filter{nobody()}}
		for _, r := range all {
			if slices.Contains(q.roles, r.ID) {
				have.Parts = append(have.Parts, otl.Filter{Attr: otl.AttrRole, Op: otl.OpEqual, Text: r.Name})
			}
		}
		q.with(have)
	}
	if q.ids == nil {
		return nil
	}
	among := otl.Filter{Op: otl.OpOr, Parts: []otl.Filter{nobody()}}
	ids, err := s.Numbers.Members(c.ctx(), c.site.ID, q.ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		among.Parts = append(among.Parts, otl.Filter{Attr: otl.AttrID, Op: otl.OpEqual, Text: id})
	}
	q.with(among)
	return nil
}

// list is GET /users.
func (s people) list(c *call) (reply, error) {
	in := c.r.URL.Query()
	q, err := question(in)
	if err == nil {
		err = s.among(c, &q)
	}
	if err != nil {
		return reply{}, err
	}
	found, total, err := s.Members.Search(c.ctx(), c.site.ID, q.Query)
	if err != nil {
		return reply{}, err
	}
	out := make([]userOut, len(found))
	for i, m := range found {
		if out[i], err = s.user(c, m); err != nil {
			return reply{}, err
		}
		out[i] = out[i].only(q.fields)
	}
	return s.listed(c, in, q.paging, out, total), nil
}
