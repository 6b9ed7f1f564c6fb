package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// Query is a question for some of a site's people.
type Query struct {
	Filter otl.Filter // the zero one is fulfilled by all
	Prefix string     // of the address, folded, or of the number; "" for any
	Sort   otl.Attribute
	Desc   bool
	Offset int
	Limit  int
}

// Search gives people of a site in an order both engines agree on: that of a time,
// and of ids where it is the same, which the zero Sort means alone.
func (g Grants) Search(ctx context.Context, siteID string, q Query) ([]Member, error) {
	w := searching(siteID, q)
	direction := ""
	if q.Desc {
		direction = " DESC"
	}
	order := "u.id" + direction
	if column := sortable(q.Sort); column != "" {
		order = column + direction + ", " + order
	}
	return all(ctx, g.group, `SELECT `+userColumns+`, `+grantColumns+`, `+recordColumns+w.from+` ORDER BY `+order+` LIMIT `+w.arg(q.Limit)+` OFFSET `+w.arg(q.Offset),
		w.args, memberDest)
}

// Count gives how many of a site's people a query fits.
func (g Grants) Count(ctx context.Context, siteID string, q Query) (n int, err error) {
	w := searching(siteID, q)
	return n, g.one(ctx, `SELECT count(*)`+w.from, w.args, &n)
}

// sortable gives the column lists are ordered by. Texts are in no order that both
// engines share.
func sortable(a otl.Attribute) string {
	switch a {
	case otl.AttrCreated:
		return "u.created_at"
	case otl.AttrUpdated:
		return "u.updated_at"
	case otl.AttrLastLogin:
		return "COALESCE(g.last_login_at, 0)"
	}
	return ""
}

// where is a condition in the making. What callers wrote is in args only.
type where struct {
	from string
	args []any
}

// arg gives the placeholder of one more value.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

func searching(siteID string, q Query) *where {
	w := &where{}
	w.from = ` FROM grants g JOIN users u ON u.id = g.user_id LEFT JOIN records r ON r.site_id = g.site_id AND r.user_id = g.user_id
		WHERE g.revoked_at IS NULL AND g.site_id = ` + w.arg(siteID)
	if q.Prefix != "" {
		prefix := w.arg(escapeLike(q.Prefix) + "%")
		w.from += ` AND (` + granted(otl.FieldEmail) + ` AND u.email_key LIKE ` + prefix + ` ESCAPE '!' OR ` +
			granted(otl.FieldPhone) + ` AND u.phone LIKE ` + prefix + ` ESCAPE '!')`
	}
	if q.Filter.Op != "" {
		w.from += ` AND ` + w.filter(q.Filter)
	}
	return w
}

// granted is true of people who let the site see a field: nothing else is searched,
// or an answer would tell what may not be seen.
func granted(f otl.Field) string { return `' ' || g.fields || ' ' LIKE '% ` + string(f) + ` %'` }

func (w *where) filter(f otl.Filter) string {
	switch f.Op {
	case otl.OpNot:
		return `NOT ` + w.filter(f.Parts[0])
	case otl.OpAnd, otl.OpOr:
		parts := make([]string, len(f.Parts))
		for i, p := range f.Parts {
			parts[i] = w.filter(p)
		}
		return `(` + strings.Join(parts, ` `+string(f.Op)+` `) + `)`
	}
	switch f.Attr {
	case otl.AttrID:
		return w.text(f, `u.id`, f.Text)
	case otl.AttrExternalID:
		if f.Op == otl.OpEqual && f.Text != "" {
			return `(r.external_id IS NOT NULL AND ` + w.text(f, `r.external_id`, f.Text) + `)` // of whom nothing is kept NOT is true
		}
		return w.text(f, `COALESCE(r.external_id, '')`, f.Text)
	case otl.AttrEmail:
		return `(` + granted(otl.FieldEmail) + ` AND ` + w.text(f, `u.email_key`, otl.Fold(f.Text)) + `)`
	case otl.AttrPhone:
		if f.Op == otl.OpEqual && f.Text != "" { // many may have it: none of them is looked for among all people of the site
			return `(` + granted(otl.FieldPhone) + ` AND g.user_id IN (SELECT id FROM users WHERE phone = ` + w.arg(f.Text) + ` AND phone <> ''))`
		}
		return `(` + granted(otl.FieldPhone) + ` AND ` + w.text(f, `u.phone`, f.Text) + `)`
	case otl.AttrUsername:
		return `(` + granted(otl.FieldUsername) + ` AND ` + w.text(f, `u.username_key`, otl.Fold(f.Text)) + `)`
	case otl.AttrName:
		return `(` + granted(otl.FieldName) + ` AND ` + w.text(f, `u.name_key`, otl.Fold(f.Text)) + `)`
	case otl.AttrTrait:
		return `EXISTS (SELECT 1 FROM traits t WHERE t.site_id = g.site_id AND t.user_id = g.user_id AND t.name = ` + w.arg(f.Name) + ` AND ` + w.text(f, `t.value`, otl.Fold(f.Text)) + `)`
	case otl.AttrRole:
		return w.role(f)
	case otl.AttrActive:
		return w.truth(f, `(u.disabled_at IS NULL AND g.suspended_at IS NULL)`)
	case otl.AttrCreated:
		return w.time(f, `u.created_at`)
	case otl.AttrUpdated:
		return w.time(f, `u.updated_at`)
	case otl.AttrLastLogin:
		return w.time(f, `g.last_login_at`)
	}
	return `1 = 0`
}

func (w *where) text(f otl.Filter, column, value string) string {
	like := func(pattern string) string { return column + ` LIKE ` + w.arg(pattern) + ` ESCAPE '!'` }
	switch f.Op {
	case otl.OpEqual:
		if value != "" { // the indexes of names are of those that are some
			return column + ` = ` + w.arg(value) + ` AND ` + column + ` <> ''`
		}
		return column + ` = ` + w.arg(value)
	case otl.OpUnequal:
		return column + ` <> ` + w.arg(value)
	case otl.OpContains:
		return like("%" + escapeLike(value) + "%")
	case otl.OpBegins:
		return like(escapeLike(value) + "%")
	case otl.OpEnds:
		return like("%" + escapeLike(value))
	case otl.OpPresent:
		return column + ` <> ''`
	}
	return `1 = 0`
}

// role is true of people who have a role at the site; a name holds no blank.
func (w *where) role(f otl.Filter) string {
	if f.Op != otl.OpEqual {
		return `1 = 0`
	}
	return `' ' || g.roles || ' ' LIKE ` + w.arg("% "+escapeLike(f.Text)+" %") + ` ESCAPE '!'`
}

func (w *where) truth(f otl.Filter, condition string) string {
	switch {
	case f.Op == otl.OpPresent:
		return `1 = 1`
	case (f.Op == otl.OpEqual) == f.Yes:
		return condition
	}
	return `NOT ` + condition
}

func (w *where) time(f otl.Filter, column string) string {
	signs := map[otl.Op]string{
		otl.OpEqual: ` = `, otl.OpUnequal: ` <> `, otl.OpAfter: ` > `, otl.OpNotEarly: ` >= `, otl.OpBefore: ` < `, otl.OpNotLate: ` <= `,
	}
	if sign, ok := signs[f.Op]; ok {
		return `COALESCE(` + column + `, 0)` + sign + w.arg(f.Time.UnixMilli())
	}
	return column + ` IS NOT NULL`
}
