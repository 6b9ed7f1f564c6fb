package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/store"
)

// TestDD09_ABackupIsOneMoment: made again and again while a server writes, each copy is whole,
// opens, and holds what was acknowledged before it was begun.
func TestDD09_ABackupIsOneMoment(t *testing.T) {
	t.Parallel()
	url, dir := otltest.DatabaseURL(t, otltest.SQLite), t.TempDir()
	st := open(t, url, true)
	add := func(ctx context.Context) string {
		id := secret.NewID(start)
		if err := st.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			return tx.Businesses.Insert(ctx, otl.Business{ID: id, Name: strings.Repeat("B", 2000), CreatedAt: start})
		}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		return id
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for range 2 {
		writing.Go(func() {
			for ctx.Err() == nil {
				add(ctx)
			}
		})
	}
	defer writing.Wait()
	defer stop()
	for _, name := range []string{"first.db", "second.db", "third.db"} {
		last, file := add(t.Context()), filepath.Join(dir, name)
		seen, err := backupWatched(t, url, file)
		if err != nil {
			t.Fatal(err)
		}
		if seen != nil && seen.Size() == 0 {
			t.Errorf("%s had its name before it was whole", name)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		var n int
		if err := connect(t, otltest.SQLite, file).QueryRowContext(t.Context(), `SELECT count(*) FROM businesses WHERE id = $1`, last).Scan(&n); err != nil || n != 1 {
			t.Errorf("%s lacks what was written before: %d %v", name, n, err)
		}
		if err := open(t, file, true).Ping(t.Context()); err != nil { // on an empty host: no other file lies beside it
			t.Error(err)
		}
	}
}

// backupWatched makes a backup and gives what is first seen under its name, nil for nothing
// before it was done.
func backupWatched(t *testing.T, url, file string) (seen os.FileInfo, err error) {
	t.Helper()
	done := make(chan error)
	go func() { done <- store.Backup(t.Context(), url, file) }()
	for {
		select {
		case err := <-done:
			return seen, err
		default:
			if seen == nil {
				seen, _ = os.Stat(file)
			}
		}
	}
}

// TestDD09_OneOfTwoBackupsTakesTheName, whole; the other fails and leaves nothing.
func TestDD09_OneOfTwoBackupsTakesTheName(t *testing.T) {
	t.Parallel()
	url, dir := otltest.DatabaseURL(t, otltest.SQLite), t.TempDir()
	file, done := filepath.Join(dir, "copy.db"), make(chan error)
	for range 2 {
		go func() { done <- store.Backup(t.Context(), url, file) }()
	}
	one, two := <-done, <-done
	if (one == nil) == (two == nil) || !errors.Is(errors.Join(one, two), os.ErrExist) {
		t.Errorf("%v, %v", one, two)
	}
	if err := store.Check(t.Context(), file); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}

// TestDD09_ABackupWithoutHardLinks has its name all the same, and takes nobody's.
func TestDD09_ABackupWithoutHardLinks(t *testing.T) {
	t.Parallel()
	for _, no := range []error{syscall.EPERM, syscall.ENOTSUP, errors.ErrUnsupported} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		if err := os.WriteFile(from, []byte("copy"), 0o600); err != nil {
			t.Fatal(err)
		}
		link := func(a, b string) error { return &os.LinkError{Op: "link", Old: a, New: b, Err: no} }
		if err := store.Name(link, from, to); err != nil {
			t.Errorf("%v: %v", no, err)
		}
		if text, err := os.ReadFile(to); string(text) != "copy" || err != nil {
			t.Errorf("%v: the copy is %q, %v", no, text, err)
		}
		if err := store.Name(link, from, to); !errors.Is(err, os.ErrExist) {
			t.Errorf("%v: a name that is taken: %v", no, err)
		}
		if text, _ := os.ReadFile(to); string(text) != "copy" {
			t.Errorf("%v: the copy is %q afterwards", no, text)
		}
	}
}

// TestDD09_ABackupTouchesNothing: neither what stands under its name, nor, where it fails, the
// directory.
func TestDD09_ABackupTouchesNothing(t *testing.T) {
	t.Parallel()
	url, dir := otltest.DatabaseURL(t, otltest.SQLite), t.TempDir()
	there := filepath.Join(dir, "there.db")
	if err := os.WriteFile(there, []byte("of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Backup(t.Context(), url, there); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if err := store.Backup(t.Context(), filepath.Join(dir, "none.db"), filepath.Join(dir, "copy.db")); err == nil {
		t.Error("of no database")
	}
	if err := store.Backup(t.Context(), there, filepath.Join(dir, "copy.db")); err == nil {
		t.Error("of no database of ours")
	}
	if raw, err := os.ReadFile(there); err != nil || string(raw) != "of somebody else" {
		t.Errorf("%s %v", raw, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}

// TestDD08_ADamagedCopyIsFound: bytes that flipped, a file cut short, one that is empty as a copy
// of the file alone is, and one of another program.
func TestDD08_ADamagedCopyIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "whole.db")
	if err := store.Backup(t.Context(), otltest.DatabaseURL(t, otltest.SQLite), file); err != nil {
		t.Fatal(err)
	}
	if err := store.Check(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	for i := 8192; i < len(flipped); i += 4096 {
		flipped[i] ^= 0xff // what kind of page it is
	}
	for name, raw := range map[string][]byte{
		"flipped": flipped, "short": whole[:len(whole)/2], "empty": {}, "text": []byte(strings.Repeat("nothing ", 1000)),
	} {
		bad := filepath.Join(dir, name)
		if err := os.WriteFile(bad, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.Check(t.Context(), bad); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := store.Check(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
