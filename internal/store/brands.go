package store

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/onetimelogin/otl/internal/otl"
)

// Brands is the group of statements about how the mails of sites look.
type Brands struct{ group }

// Of gives the brand of a site, the empty one where it has none.
func (g Brands) Of(ctx context.Context, siteID string) (otl.Brand, error) {
	var b otl.Brand
	var data string
	err := g.one(ctx, `SELECT data FROM brands WHERE site_id = $1`, []any{siteID}, &data)
	if errors.Is(err, ErrNotFound) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(data), &b)
}

// Put writes the brand of a site in the place of the one before.
func (g Brands) Put(ctx context.Context, siteID string, b otl.Brand) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = g.exec(ctx, `INSERT INTO brands (site_id, data) VALUES ($1, $2) ON CONFLICT (site_id) DO UPDATE SET data = $2`, siteID, string(data))
	return err
}
