package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/secret"
)

func configured(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMasterKeyIsMadeOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	c := configured(t, "OTL_DATA_DIR="+dir)
	keys := make([]string, 16)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			find, err := masterKey(c, nil)
			if err != nil {
				t.Error(err)
				return
			}
			m, err := find(false)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = m.Encode().Reveal()
		})
	}
	all.Wait()
	if strings.TrimSpace(readFile(t, dir, "secret.key")) != keys[0] {
		t.Error("the file holds another key")
	}
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two processes have two keys")
		}
	}
	if left := files(t, dir); len(left) != 1 || left["secret.key"].Perm() != 0o600 {
		t.Errorf("left %v", left)
	}
	if mode := files(t, filepath.Dir(dir))["data"]; mode.Perm() != 0o700 {
		t.Errorf("the directory has mode %o", mode.Perm())
	}
}

func TestSR04_MasterKeyIsNotMadeForADatabaseThatHasOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := configured(t, "OTL_DATA_DIR="+dir)
	find, err := masterKey(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := find(true); !errors.Is(err, installation.ErrMasterKey) {
		t.Errorf("got %v", err)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	// Another process was a moment faster: its key counts, also when it has made
	// the installation meanwhile.
	m := secret.NewMaster()
	writeFile(t, m.Encode().Reveal()+"\n", dir, "secret.key")
	if got, err := find(true); err != nil || got.Encode().Reveal() != m.Encode().Reveal() {
		t.Errorf("got %v", err)
	}
}

func TestMasterKeyFromTheConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, key := secret.NewMaster(), secret.NewMaster()
	c := configured(t, "OTL_DATA_DIR="+dir, "OTL_SECRET_KEY="+key.Encode().Reveal(), "OTL_SECRET_KEY_PREVIOUS="+old.Encode().Reveal())
	writeFile(t, "not looked at", dir, "secret.key")
	find, err := masterKey(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, initialised := range []bool{false, true} {
		m, err := find(initialised)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := m.Open(old.Seal([]byte("x"), "place"), "place")
		if m.Encode().Reveal() != key.Encode().Reveal() || err != nil || string(plain) != "x" {
			t.Errorf("not the key configured, or without its predecessor: %v", err)
		}
	}
}

func TestSR05_KeyFileInTheDataDirectory(t *testing.T) {
	t.Parallel()
	good := secret.NewMaster().Encode().Reveal()
	for name, one := range map[string]struct {
		text string
		mode fs.FileMode
		why  string
	}{
		"readable by everybody": {good, 0o644, "run: chmod 600"},
		"short":                 {"c2hvcnQ=", 0o600, "must be 32 random bytes"},
		"empty":                 {"", 0o600, "must be 32 random bytes"},
		"half written":          {good[:20], 0o600, "must be 32 random bytes"},
		"not random":            {strings.Repeat("A", 43) + "=", 0o600, "is not random"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "secret.key")
		writeFile(t, one.text, path)
		if err := os.Chmod(path, one.mode); err != nil {
			t.Fatal(err)
		}
		_, err := masterKey(configured(t, "OTL_DATA_DIR="+dir), nil)
		if !errors.Is(err, config.ErrSecretFile) || !strings.Contains(err.Error(), one.why) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && one.text != "" && strings.Contains(err.Error(), one.text) {
			t.Errorf("%s: %v repeats the key", name, err)
		}
	}
}

func TestKeyCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, "", file)
	for _, path := range []string{filepath.Join(file, "secret.key"), "/proc/otl/secret.key"} {
		if _, err := newMasterKey(path); err == nil || !strings.HasPrefix(err.Error(), "write the master key: ") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
