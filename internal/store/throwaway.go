package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
)

// ThrowAway makes an empty database on the PostgreSQL server that a URL leads
// to, and gives the URL of the new one and what removes it again, along with
// every connection to it.
func ThrowAway(ctx context.Context, server string) (string, func(), error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", nil, fmt.Errorf("parse the address of PostgreSQL: %w", err)
	}
	name := "otl_" + strings.ToLower(rand.Text())
	run := func(ctx context.Context, text string) error {
		db, err := sql.Open("pgx", server)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.ExecContext(ctx, text)
		return err
	}
	if err := run(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, fmt.Errorf("make a database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), func() {
		_ = run(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") // it is nobody's by now
	}, nil
}
