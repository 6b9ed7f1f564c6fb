package onelogin

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pageSize is how many things a page has unless it is told.
const pageSize = 50

// paging is what of a list is asked for.
type paging struct {
	page, limit int
	by          string // what it is in order of, "" for the usual
	desc        bool
	fields      []string // members of the answer beside the id, nil for all
}

// newPaging begins to read what of a list is asked for. A cursor is the question for another page,
// in base64; it takes the place of what stands in in.
func newPaging(in url.Values) (paging, error) {
	q := paging{page: 1, limit: pageSize}
	cursor := in.Get("after_cursor") + in.Get("before_cursor") + in.Get("cursor")
	if cursor == "" {
		return q, nil
	}
	raw, err := base64.StdEncoding.DecodeString(cursor)
	more, bad := url.ParseQuery(string(raw))
	if err != nil || bad != nil {
		return q, invalid("after_cursor", "is none that was given")
	}
	for name, values := range more {
		in[name] = values
	}
	return q, nil
}

// offset gives how many stand before the page.
func (q paging) offset() int { return (q.page - 1) * q.limit }

// add reads one part of a question, and reports whether it is about pages.
func (q *paging) add(name, value string) (known bool, err error) {
	switch name {
	case "after_cursor", "before_cursor", "cursor":
	case "limit":
		if q.limit, err = strconv.Atoi(value); err != nil || q.limit < 1 || q.limit > 1000 {
			return true, invalid(name, "must be a number from 1 to 1000")
		}
	case "page":
		if q.page, err = strconv.Atoi(value); err != nil || q.page < 1 || q.page > 1e6 {
			return true, invalid(name, "must be a number from 1 to 1000000")
		}
	case "sort": // a + that is not escaped is a blank
		q.by, q.desc = strings.TrimLeft(value, "+- "), strings.HasPrefix(value, "-")
	case "fields":
		q.fields = commas(value)
	default:
		return false, nil
	}
	return true, nil
}

// unsorted refuses what lists are in no order of: texts have none that is the same everywhere.
func unsorted(by string) error { return invalid("sort", "Invalid sort field: "+by) }

// commas gives what stands between commas.
func commas(s string) (out []string) {
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); one != "" {
			out = append(out, one)
		}
	}
	return out
}

// listed answers with a page of a list that has total things in all. Its cursor is what asks for
// it, in base64: some clients read it and send that instead.
func (s *Surface) listed(c *call, in url.Values, q paging, out []userOut, total int) reply {
	for _, name := range []string{"after_cursor", "before_cursor", "cursor"} {
		in.Del(name)
	}
	cursor := func(n int) *string {
		if n < 1 || (n-1)*q.limit >= total {
			return nil
		}
		in.Set("page", strconv.Itoa(n))
		at := base64.StdEncoding.EncodeToString([]byte(in.Encode()))
		return &at
	}
	p := pagination{Before: cursor(q.page - 1), After: cursor(q.page + 1)}
	p.PreviousLink, p.NextLink = s.link(c, p.Before), s.link(c, p.After)
	if bare(c.r.URL.Path) {
		c.paged(p, q.page, len(out), total, (total+q.limit-1)/q.limit)
		return reply{http.StatusOK, out}
	}
	return page(out, p)
}

// link gives the address of a page.
func (s *Surface) link(c *call, cursor *string) *string {
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
