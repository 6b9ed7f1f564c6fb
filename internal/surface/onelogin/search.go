package onelogin

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
)

// pageSize is how many people a page has unless it is told.
const pageSize = 50

// asking is what people are asked for, and what of them.
type asking struct {
	account.Query
	page   int
	ids    []int    // numbers of those alone, nil for all
	fields []string // members of the answer beside the id, nil for all
}

// question reads what people are asked for. A filter that is not known is refused rather
// than passed over: the answer would hold people that nobody asked for.
func question(in url.Values) (q asking, err error) {
	q.page, q.Limit = 1, pageSize
	if cursor := in.Get("after_cursor") + in.Get("cursor"); cursor != "" {
		raw, err := base64.StdEncoding.DecodeString(cursor)
		more, bad := url.ParseQuery(string(raw))
		if err != nil || bad != nil {
			return q, invalid("after_cursor", "is none that was given")
		}
		for name, values := range more {
			in[name] = values
		}
	}
	for name, values := range in {
		if err := q.add(name, values[0]); err != nil {
			return q, err
		}
	}
	q.Offset = (q.page - 1) * q.Limit
	return q, nil
}

// maxAsked is how many people can be asked for by their numbers.
const maxAsked = 200

// add reads one part of a question.
func (q *asking) add(name, value string) (err error) {
	if f, known := comparing(name, value); known {
		q.with(f)
		return nil
	}
	switch name {
	case "after_cursor", "cursor":
	case "limit":
		if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > 1000 {
			return invalid(name, "must be a number from 1 to 1000")
		}
	case "page":
		if q.page, err = strconv.Atoi(value); err != nil || q.page < 1 || q.page > 1e6 {
			return invalid(name, "must be a number from 1 to 1000000")
		}
	case "fields":
		q.fields = listed(value)
	case "user_ids":
		all := listed(value)
		if q.ids = make([]int, len(all)); len(all) == 0 || len(all) > maxAsked {
			return invalid(name, "must be 1 to 200 ids")
		}
		for i, one := range all {
			if q.ids[i], err = strconv.Atoi(one); err != nil {
				return invalid(name, "must be ids with commas between them")
			}
		}
	default:
		return q.since(name, value)
	}
	return nil
}

// with adds a condition that has to be met too.
func (q *asking) with(more ...otl.Filter) {
	q.Filter = otl.Filter{Op: otl.OpAnd, Parts: append(q.Filter.Parts, more...)}
}

// comparing gives the condition of a filter that is a text. A name is kept whole: the first one is
// what stands before the first blank, and the last one may have any number of words.
func comparing(name, value string) (otl.Filter, bool) {
	is := func(attr otl.Attribute, op otl.Op, text string) otl.Filter {
		return otl.Filter{Attr: attr, Op: op, Text: text}
	}
	switch name {
	case "email":
		return is(otl.AttrEmail, otl.OpEqual, value), true
	case "username":
		return is(otl.AttrUsername, otl.OpEqual, value), true
	case "external_id":
		return is(otl.AttrExternalID, otl.OpEqual, value), true
	case "firstname":
		return otl.Filter{Op: otl.OpOr, Parts: []otl.Filter{is(otl.AttrName, otl.OpEqual, value), is(otl.AttrName, otl.OpBegins, value+" ")}}, true
	case "lastname":
		return is(otl.AttrName, otl.OpEnds, " "+value), true
	}
	return otl.Filter{}, false
}

// since reads a filter that is a time: created_since, last_login_until and the like.
func (q *asking) since(name, value string) error {
	what, end, _ := cutLast(name)
	attr := map[string]otl.Attribute{"created": otl.AttrCreated, "updated": otl.AttrUpdated, "last_login": otl.AttrLastLogin}[what]
	op := map[string]otl.Op{"since": otl.OpNotEarly, "until": otl.OpNotLate}[end]
	if attr == "" || op == "" {
		return invalid(name, "is nothing people can be asked for by here")
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

// listed gives what stands between commas.
func listed(s string) (out []string) {
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

// among asks for people by their numbers. One that is nobody's is passed over.
func (s people) among(c *call, q *asking) error {
	if q.ids == nil {
		return nil
	}
	among := otl.Filter{Op: otl.OpOr, Parts: []otl.Filter{{Attr: otl.AttrID, Op: otl.OpEqual}}} // nobody
	ids, err := s.Numbers.Refs(c.ctx(), number.User, q.ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		among.Parts = append(among.Parts, otl.Filter{Attr: otl.AttrID, Op: otl.OpEqual, Text: id})
	}
	q.with(among)
	return nil
}

// list is GET /users. The cursor of a page is what asks for it, in base64: some clients
// read it and send that instead.
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
	in.Del("after_cursor")
	in.Del("cursor")
	cursor := func(n int) *string {
		if n < 1 || (n-1)*q.Limit >= total {
			return nil
		}
		in.Set("page", strconv.Itoa(n))
		at := base64.StdEncoding.EncodeToString([]byte(in.Encode()))
		return &at
	}
	p := pagination{Before: cursor(q.page - 1), After: cursor(q.page + 1)}
	p.PreviousLink, p.NextLink = s.at(c, p.Before), s.at(c, p.After)
	if bare(c.r.URL.Path) {
		c.paged(p, q.page, len(found), total, (total+q.Limit-1)/q.Limit)
		return reply{http.StatusOK, out}, nil
	}
	return page(out, p), nil
}

// at gives the address of a page.
func (s people) at(c *call, cursor *string) *string {
	if cursor == nil {
		return nil
	}
	to := s.PublicURL + c.r.URL.Path + "?after_cursor=" + url.QueryEscape(*cursor)
	return &to
}

// paged tells in headers where a page of version 2 is, and the pages beside it. The names of cursors are
// in lower case, as OneLogin's own are: its Java SDK looks for no other.
func (c *call) paged(p pagination, page, items, total, pages int) {
	for name, n := range map[string]int{"Current-Page": page, "Page-Items": items, "Total-Count": total, "Total-Pages": pages} {
		c.header.Set(name, strconv.Itoa(n))
	}
	for name, cursor := range map[string]*string{"before-cursor": p.Before, "after-cursor": p.After} {
		if cursor != nil {
			c.header[name] = []string{*cursor}
		}
	}
	var links []string // RFC 8288
	if p.PreviousLink != nil {
		links = append(links, "<"+*p.PreviousLink+`>; rel="prev"`)
	}
	if p.NextLink != nil {
		links = append(links, "<"+*p.NextLink+`>; rel="next"`)
	}
	if links != nil {
		c.header.Set("Link", strings.Join(links, ", "))
	}
}
