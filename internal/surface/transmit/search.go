package transmit

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
)

// searchable are the names under which filters know what can be searched.
func searchable() map[string]otl.Attribute {
	return map[string]otl.Attribute{
		"user_id": otl.AttrID, "external_user_id": otl.AttrExternalID, "email": otl.AttrEmail, "email.value": otl.AttrEmail, "phone_number": otl.AttrPhone,
		"phone_number.value": otl.AttrPhone, "username": otl.AttrUsername, "name": otl.AttrName, "status": otl.AttrActive, "created_at": otl.AttrCreated,
		"updated_at": otl.AttrUpdated, "last_auth": otl.AttrLastLogin,
	}
}

// statuses are the words of a status that filters know.
func statuses() map[string]bool { return map[string]bool{"active": true, "disabled": false} }

// Pages of people: how many at most, how many where nobody says, and how far in.
const (
	maxPage     = 5000
	defaultPage = 100
	maxOffset   = 1_000_000
)

type pageInfo struct {
	Next     bool `json:"has_next_page"`
	Previous bool `json:"has_previous_page"`
}

type usersOut struct {
	Total  int       `json:"total_count"`
	Page   pageInfo  `json:"page_info"`
	Result []userOut `json:"result"`
}

// searchUsers is GET /v1/users (contract 3.9).
func (s users) searchUsers(c *call, r *http.Request) (any, error) {
	q, err := question(r.URL.Query())
	if err != nil {
		return nil, err
	}
	found, total, err := s.Members.Search(r.Context(), c.site.ID, q)
	if err != nil {
		return nil, err
	}
	out := usersOut{total, pageInfo{q.Offset+len(found) < total, q.Offset > 0 && total > 0}, make([]userOut, len(found))}
	for i, m := range found {
		if out.Result[i], err = s.shown(m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// countUsers is GET /v1/users/count.
func (s users) countUsers(c *call, r *http.Request) (any, error) {
	q, err := question(r.URL.Query())
	if err != nil {
		return nil, err
	}
	q.Limit = 0
	_, n, err := s.Members.Search(r.Context(), c.site.ID, q)
	return resultOut{map[string]int{"user_count": n}}, err
}

func question(in url.Values) (q account.Query, err error) {
	q.Prefix = in.Get("search_prefix")
	if text := in.Get("search"); text != "" {
		if q.Filter, err = account.ParseFilter("search", text, searchable(), statuses()); err != nil {
			return q, err
		}
	}
	if q.Offset, err = whole(in, "page_offset", 0, 0, maxOffset); err != nil {
		return q, err
	}
	if q.Limit, err = whole(in, "page_limit", defaultPage, 1, maxPage); err != nil {
		return q, err
	}
	switch field := in.Get("sort_field"); field {
	case "", "created_at":
		q.Sort = otl.AttrCreated
	case "updated_at":
		q.Sort = otl.AttrUpdated
	case "last_auth":
		q.Sort = otl.AttrLastLogin
	default:
		return q, otl.InvalidField("sort_field", "unknown_value", "must be created_at, updated_at or last_auth")
	}
	switch order := in.Get("sort_order"); order {
	case "", "asc":
	case "desc":
		q.Desc = true
	default:
		return q, otl.InvalidField("sort_order", "unknown_value", "must be asc or desc")
	}
	return q, nil
}

// whole reads a number of a query.
func whole(in url.Values, field string, usual, least, most int) (int, error) {
	if !in.Has(field) {
		return usual, nil
	}
	n, err := strconv.Atoi(in.Get(field))
	if err != nil || n < least || n > most {
		return 0, otl.InvalidField(field, "out_of_range", "must be a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}
