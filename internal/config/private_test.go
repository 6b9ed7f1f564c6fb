package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/secret"
)

func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // the umask does not touch it here
		t.Fatal(err)
	}
	return path
}

func TestSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	key := secret.NewMaster().Encode().Reveal()
	for name, text := range map[string]string{"as it is": key, "with a newline": key + "\n", "from Windows": key + "\r\n", "with blanks": "  " + key + "\n\n"} {
		for _, mode := range []fs.FileMode{0o600, 0o400, 0o440, 0o660} {
			c := load(t, Sources{Environ: []string{"OTL_SECRET_KEY_FILE=" + write(t, text, mode)}})
			if c.SecretKey.Reveal() != key {
				t.Errorf("%s, mode %o: not the key in the file", name, mode)
			}
		}
	}
	path := write(t, "postgres://otl@db.test/otl\n", 0o600)
	c := load(t, Sources{Environ: []string{"OTL_DATABASE_URL_FILE=" + path}, File: file(t, "database_url: postgres://old@db.test/otl\n")})
	if got := c.DatabaseURL.Reveal(); got != "postgres://otl@db.test/otl" {
		t.Errorf("got %s, want the file the environment names before the value in otl.yaml", got)
	}
	if v := c.values["database_url"]; v.Source != "env" || v.Text != "***" {
		t.Errorf("got %q from %s", v.Text, v.Source)
	}
}

func TestASymlinkCountsAsTheFileItNames(t *testing.T) {
	t.Parallel()
	key := secret.NewMaster().Encode().Reveal()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(write(t, key, 0o600), link); err != nil { // so do Kubernetes' secrets look
		t.Fatal(err)
	}
	load(t, Sources{Environ: []string{"OTL_SECRET_KEY_FILE=" + link}})
	if err := CheckPrivate(link); err != nil {
		t.Error(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Symlink(write(t, key, 0o644), open); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Sources{Environ: []string{"OTL_SECRET_KEY_FILE=" + open}}); !errors.Is(err, ErrSecretFile) {
		t.Errorf("got %v: the mode of the link is not that of the file", err)
	}
}

func TestSR05_SecretFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	key := secret.NewMaster().Encode().Reveal()
	dir := t.TempDir()
	for _, one := range []struct{ name, path, why string }{
		{"readable by everybody", write(t, key, 0o604), "can be read or changed by everybody"},
		{"writable by everybody", write(t, key, 0o602), "can be read or changed by everybody"},
		{"the usual umask", write(t, key, 0o644), "run: chmod 600 "},
		{"missing", filepath.Join(dir, "none"), "no such file or directory"},
		{"a directory", dir, "is a directory"},
		{"nothing named", "", "no file is named"},
		{"a file as a directory", filepath.Join(write(t, key, 0o600), "x"), "not a directory"},
		{"endless", write(t, strings.Repeat("A", maxFile+1), 0o600), "is larger than 1 MiB"},
	} {
		_, err := Load(Sources{Environ: []string{"OTL_SECRET_KEY_FILE=" + one.path}})
		if !errors.Is(err, ErrSecretFile) || !strings.HasPrefix(err.Error(), "OTL_SECRET_KEY_FILE: ") || !strings.Contains(err.Error(), one.why) {
			t.Errorf("%s: got %v", one.name, err)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error repeats the key", one.name)
		}
		if _, direct := ReadSecretFile(one.path); !errors.Is(direct, ErrSecretFile) {
			t.Errorf("%s: ReadSecretFile says %v", one.name, direct)
		}
	}
	if err := CheckPrivate(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrSecretFile) {
		t.Errorf("got %v: a missing file must be told from an open one", err)
	}
}

func TestAVariableAndItsFileExcludeEachOther(t *testing.T) {
	t.Parallel()
	key, other := secret.NewMaster().Encode().Reveal(), secret.NewMaster().Encode().Reveal()
	path := write(t, key, 0o600)
	for _, environ := range [][]string{
		{"OTL_SECRET_KEY=" + other, "OTL_SECRET_KEY_FILE=" + path},
		{"OTL_SECRET_KEY_FILE=" + path, "OTL_SECRET_KEY=" + other},
	} {
		_, err := Load(Sources{Environ: environ})
		wantRefusal(t, err, "OTL_SECRET_KEY_FILE", "OTL_SECRET_KEY are both set")
	}
	// Compose files pass variables on empty.
	if c := load(t, Sources{Environ: []string{"OTL_SECRET_KEY=", "OTL_SECRET_KEY_FILE=" + path}}); c.SecretKey.Reveal() != key {
		t.Error("an empty variable hides the file")
	}
	_, err := Load(Sources{Environ: []string{"OTL_SECRET_KEY_FILE=" + write(t, " \n", 0o600)}})
	wantRefusal(t, err, "OTL_SECRET_KEY_FILE", "empty")
	_, err = Load(Sources{Environ: []string{"OTL_SECRET_KEY_FILE=" + write(t, "short\n", 0o600)}})
	wantRefusal(t, err, "OTL_SECRET_KEY_FILE", "32 random bytes")
}

func TestSR05_ConfigurationFileWithASecretIsPrivate(t *testing.T) {
	t.Parallel()
	key := secret.NewMaster().Encode().Reveal()
	path := file(t, "secret_key: "+key+"\n")
	load(t, Sources{File: path})
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Sources{File: path})
	if !errors.Is(err, ErrSecretFile) || !strings.Contains(err.Error(), ": secret_key: secret file refused: ") {
		t.Errorf("got %v", err)
	}
	open := file(t, "listen: 127.0.0.1:1\nsecret_key:\n")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	load(t, Sources{File: open}) // nothing secret in it
}
