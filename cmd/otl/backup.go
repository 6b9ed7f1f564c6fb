package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// errDumped is the answer where another program copies the database.
var errDumped = &otl.Error{Kind: otl.Conflict, Code: "not_sqlite", Text: "The database is PostgreSQL's, which pg_dump copies: pg_dump --format=custom --file=FILE --dbname=URL"}

func dbBackup(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Copy the SQLite database into a new file, while servers run", Args: cobra.ExactArgs(1),
		Long: "Copies one moment of the SQLite database into a new file, while servers run, and checks the copy. The file is\n" +
			"yours alone to read. It holds no master key: keep a copy of that apart, without it the backup opens nowhere.",
		Example: "  otl db backup /backup/otl-$(date +%F).db",
		RunE: func(c *cobra.Command, args []string) error {
			conf, err := a.load(nil, nil)
			if err != nil {
				return err
			}
			path := databaseFile(conf)
			switch {
			case path == "":
				return errDumped
			case missing(conf):
				return noDatabase()
			}
			err = store.Backup(c.Context(), path, args[0])
			if errors.Is(err, fs.ErrExist) {
				err = &otl.Error{Kind: otl.Conflict, Code: "file_exists", Text: args[0] + " is there already, and stays as it is."}
			}
			if err != nil {
				return err
			}
			return printCopy(a, c, args[0], "copied")
		},
	}
}

func dbVerify(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE", Short: "Check whether the copy of an SQLite database is whole", Args: cobra.ExactArgs(1),
		Long: "Reads every page of a copy of an SQLite database, which no server has open, and compares tables, indexes and\n" +
			"references. Whether its log is what was written is for otl audit verify to say.",
		RunE: func(c *cobra.Command, args []string) error {
			err := store.Check(c.Context(), args[0])
			if errors.Is(err, store.ErrDamaged) {
				return findings{err.Error()}
			}
			if err != nil {
				return err
			}
			return printCopy(a, c, args[0], "whole")
		},
	}
}

// printCopy says what a copy of a database is.
func printCopy(a *app, c *cobra.Command, file, state string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	v, err := store.SchemaVersion(c.Context(), "sqlite:"+file)
	if err != nil {
		return err
	}
	return a.print(map[string]any{"file": file, "bytes": info.Size(), "schema": v.Current, "newest": v.Newest}, func() {
		fmt.Fprintf(a.stdout, "%s  %s  %d bytes  schema %d of %d\n", state, file, info.Size(), v.Current, v.Newest)
	})
}
