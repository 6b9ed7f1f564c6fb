package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrDamaged means that a file holds no whole database.
var ErrDamaged = errors.New("the database is damaged")

// Backup copies one moment of an SQLite database into a new file, while servers and commands
// go on, and checks the copy (DD-09). Its owner alone can read the file, which has the name only
// once it is whole and on disk; of a backup that fails nothing is left. A file that is there
// already is os.ErrExist, and stays as it is.
func Backup(ctx context.Context, path, file string) error {
	if _, err := os.Lstat(file); err == nil { // told before the work, too
		return &os.PathError{Op: "copy", Path: file, Err: os.ErrExist}
	}
	copied, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(copied.Name())
	if err := copyInto(ctx, path, copied.Name()); err != nil {
		return errors.Join(err, copied.Close())
	}
	if err := Check(ctx, copied.Name()); err != nil {
		return errors.Join(err, copied.Close())
	}
	if err := errors.Join(copied.Sync(), copied.Close()); err != nil {
		return err
	}
	if err := name(os.Link, copied.Name(), file); err != nil {
		return err
	}
	if err := syncDirectory(filepath.Dir(file)); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// name gives a file another name, unless somebody else took that meanwhile. Where the file
// system knows no hard links the name stands for an empty file for a moment.
func name(link func(from, to string) error, from, to string) error {
	err := link(from, to)
	if !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EPERM) {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Rename(from, to)); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// copyInto writes what a reader of the database sees at one moment into an empty file.
func copyInto(ctx context.Context, path, file string) error {
	db, err := sql.Open("sqlite", fileURL(path, "mode=ro&_pragma=busy_timeout(5000)"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, file)
	return errors.Join(err, db.Close())
}

// syncDirectory has the names in a directory outlive a power cut.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// maxFaults is how many faults of a file an error names.
const maxFaults = 3

// Check reads every page of an SQLite file that no server has open and compares tables,
// indexes and references. What is wrong is ErrDamaged.
func Check(ctx context.Context, file string) (err error) {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", fileURL(file, "mode=ro"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var faults []string
	for _, look := range []string{
		`SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`,
		`SELECT "table" || ' refers to what is not there in ' || parent FROM pragma_foreign_key_check LIMIT 10`,
		`SELECT 'it is not one of this program' WHERE NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'goose_db_version')`,
	} {
		found, err := column(ctx, db, look)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		faults = append(faults, found...)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, strings.Join(faults[:min(len(faults), maxFaults)], "; "))
	}
	return nil
}

// column gives the one text of each row.
func column(ctx context.Context, db *sql.DB, query string) (out []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
