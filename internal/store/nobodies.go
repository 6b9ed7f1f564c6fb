package store

import (
	"context"
	"strings"
)

// Nobodies is the group of statements about rows that stand for nobody: they are written in the place of a
// person where an address has one, so that as much is written (OT-10), and are never read.
type Nobodies struct{ group }

// userWidth is how many bytes the row of a new person has beside his address and name, about: as many
// rows as of people go into one page.
const userWidth = 60

// Insert adds a row of nobody's, as wide as that of a new person with an address and a name, and in as many
// indexes. Nothing of either is kept. It tells when the row was made by its id.
func (g Nobodies) Insert(ctx context.Context, id, address, name string) error {
	_, err := g.exec(ctx, `INSERT INTO nobodies (id, address, filler) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		id, "nobody "+id, strings.Repeat(".", userWidth+2*len(address)+2*len(name)))
	return err
}

// Prune deletes rows from before a time, whose ids come before first; at most limit of them. It says how many.
func (g Nobodies) Prune(ctx context.Context, first string, limit int) (int, error) {
	return g.exec(ctx, `DELETE FROM nobodies WHERE id IN (SELECT id FROM nobodies WHERE id < $1 LIMIT $2)`, first, limit)
}
