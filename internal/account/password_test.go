package account_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// check gives the code of the rule a password breaks, "" for none.
func check(t *testing.T, r *account.PasswordRules, password string) string {
	t.Helper()
	email, err := otl.ParseEmail("jane.doe+x@example-mail.test")
	if err != nil {
		t.Fatal(err)
	}
	err = r.Check(secret.NewText(password), email, "Acme Notes")
	if err == nil {
		return ""
	}
	if len(password) > len("password") && strings.Contains(err.Error(), password) {
		t.Errorf("the error repeats %q", password)
	}
	e := otl.As(err)
	if e.Field != "password" || len(e.More) != 1 {
		t.Fatal(err)
	}
	return e.More[0].Code
}

// TestPW01_Lengths: 8 code points after NFKC, 1024 bytes.
func TestPW01_Lengths(t *testing.T) {
	t.Parallel()
	r := &account.PasswordRules{}
	for password, want := range map[string]string{
		"": "too_short", "zq7-xkv": "too_short", "zq7-xkvw": "", "äöüßéèêë": "", "🦊🐻🐼🐨🐯🦁🐮🐷": "", "🦊🐻🐼🐨🐯🦁🐮": "too_short",
		"e\u0301e\u0301e\u0301e\u0301": "too_short", // four letters, however they are spelled
		strings.Repeat("zq7-", 256):    "", strings.Repeat("zq7-", 256) + "x": "too_long", strings.Repeat("ä", 513): "too_long",
		"zq7-xkv\x00": "bad_characters", "zq7-xkv\xff": "bad_characters", "zq7 xkv w": "", "\tzq7-xkvw": "",
	} {
		if got := check(t, r, password); got != want {
			t.Errorf("%.20q: %q, want %q", password, got, want)
		}
	}
}

// TestPW02_NothingElseIsAsked: no mixture of kinds of characters.
func TestPW02_NothingElseIsAsked(t *testing.T) {
	t.Parallel()
	r := &account.PasswordRules{}
	for _, password := range []string{"horse battery", "xkvwqzjy", "84629173", "HORSEBATTERY", "!!!???!!!."} {
		if got := check(t, r, password); got != "" {
			t.Errorf("%q: %s", password, got)
		}
	}
}

// TestPW04_WhatIsGuessedFirst: common ones, those of the person and the site,
// the operator's own.
func TestPW04_WhatIsGuessedFirst(t *testing.T) {
	t.Parallel()
	r := &account.PasswordRules{}
	if err := r.ReadBlocklist(strings.NewReader("  Winter2026!\n\nsesame-street\r\n")); err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]string{
		"password": "too_common", "PassWord": "too_common", "12345678": "too_common", "qwertyuiop": "too_common", "ｐａｓｓｗｏｒｄ": "too_common",
		"aaaaaaaaaa": "too_common", "winter2026!": "too_common", "Sesame-Street": "too_common",
		"jane.doe+x@example-mail.test": "too_personal", "example-mail": "too_personal", "acme notes": "too_personal", "Acme Notes!": "too_personal",
		"jane-acme-x7": "",
		"winter2027!":  "too_common", "password123": "too_common", "P@ssw0rd": "too_common", "passw0rd1": "too_common", "Monkey123!": "too_common", "summer2024": "too_common",
		"m0nk3y-tulip": "", "summer-of-84": "", "monkey20241231": "", "a2024!": "too_short", "tulip-lamp-44": "",
	} {
		if got := check(t, r, password); got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
	for _, listed := range []string{"q1w2e3r4t5", "zxasqw12", "0123456789", "Robotixs", "bismill@h", "aa123456"} { // beyond what is made from a word
		if got := check(t, &account.PasswordRules{}, listed); got != "too_common" {
			t.Errorf("%q: %q", listed, got)
		}
	}
	if err := r.ReadBlocklist(broken{}); err == nil {
		t.Error("a blocklist that cannot be read")
	}
}

// TestPW04_TheListIsLongEnough: 100,000 passwords that nothing else refuses, as they are looked
// for, and in order.
func TestPW04_TheListIsLongEnough(t *testing.T) {
	t.Parallel()
	file, err := os.Open("common.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	n, last := 0, ""
	lines := bufio.NewScanner(unzipped)
	for ; lines.Scan(); n++ {
		word := lines.Text()
		if word <= last || utf8.RuneCountInString(word) < account.MinPassword || strings.ToLower(norm.NFKC.String(word)) != word {
			t.Fatalf("%d: %q stands behind %q, is short or not folded", n, word, last)
		}
		last = word
	}
	if lines.Err() != nil || n < 100_000 {
		t.Errorf("%d passwords, %v", n, lines.Err())
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no") }
