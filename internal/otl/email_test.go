package otl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

// field gives the member and the rule an error names.
func field(t *testing.T, err error) (member, rule string) {
	t.Helper()
	var e *otl.Error
	if !errors.As(err, &e) || e.Kind != otl.Invalid || len(e.More) != 1 {
		t.Fatalf("not an error of one field: %v", err)
	}
	return e.Field, e.More[0].Code
}

func TestParseEmail(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	for given, key := range map[string]string{
		"jane@dev.test":                         "jane@dev.test",
		" Jane.Doe+tag@DEV.Test ":               "jane.doe+tag@dev.test",
		"o'neil_{x}~#!$%&*-/=?^`|@dev.test":     "o'neil_{x}~#!$%&*-/=?^`|@dev.test",
		"jane@bücher.example":                   "jane@xn--bcher-kva.example",
		"jane@BÜCHER.example":                   "jane@xn--bcher-kva.example",
		"j@1.2.test":                            "j@1.2.test",
		strings.Repeat("l", 64) + "@dev.test":   strings.Repeat("l", 64) + "@dev.test",
		"j@" + label + "." + label + ".example": "j@" + label + "." + label + ".example",
		"1@dev.test":                            "1@dev.test",
	} {
		got, err := otl.ParseEmail(given)
		if err != nil || got.Key != key || got.Address != strings.Trim(given, " ") {
			t.Errorf("%q: %+v %v, want %q", given, got, err, key)
		}
	}
}

// TestOA19_WhatIsNoAddressIsRefused: exactly one "@", at most 254 bytes, no control characters, comments,
// quoted local parts, lists or names around it; the error does not say it back.
func TestOA19_WhatIsNoAddressIsRefused(t *testing.T) {
	t.Parallel()
	for given, rule := range map[string]string{
		"": "required", "  ": "required", strings.Repeat("a", 250) + "@dev.test": "too_long",
		"jane": "", "@dev.test": "", "jane@": "", "jane@dev": "", "jane@@dev.test": "", "a@b@dev.test": "", ".jane@dev.test": "", "jane.@dev.test": "",
		"ja..ne@dev.test": "", `"jane"@dev.test`: "", `"a b"@dev.test`: "", "jane(x)@dev.test": "", "jane@[127.0.0.1]": "", "jane@127.0.0.1": "",
		"Jane <jane@dev.test>": "", "jane@dev.test,joe@dev.test": "", "jane@dev.test;joe@dev.test": "", "jane@dev.test\n": "", "jane\x00@dev.test": "",
		"jane@dev.test\r\nBcc: joe@dev.test": "", "jäne@dev.test": "", "jane@-dev.test": "", "jane@dev-.test": "", "jane@dev..test": "", "jane@dev.test.": "",
		"jane@" + strings.Repeat("a", 64) + ".test": "", strings.Repeat("l", 65) + "@dev.test": "", "jane@dev_x.test": "", "jane@dev.1": "", "jane@\xff.test": "",
		"jane @dev.test": "", "jane@dev .test": "", "jane@dev.test\u200b": "", "jane%40dev.test": "", "mailto:jane@dev.test": "",
		"jane@xn--zz--a.test": "",
	} {
		if rule == "" {
			rule = "not_an_address"
		}
		got, err := otl.ParseEmail(given)
		if err == nil {
			t.Errorf("%q was taken as %+v", given, got)
			continue
		}
		if m, r := field(t, err); m != "email" || r != rule {
			t.Errorf("%q: %s %s, want %s", given, m, r, rule)
		}
		if given = strings.TrimSpace(given); len(given) > 6 && strings.Contains(err.Error(), given) {
			t.Errorf("the error repeats %q", given)
		}
	}
}

// FuzzParseEmail: what is taken has one plain form, and that form is its own.
func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"jane@dev.test", " A@B.c ", "a@bücher.de", `"a"@b.c`, "a@[::1]", "a@b.c\x00", "ａ@ｂ.ｃ", "a@xn--a.b", "a@b。c", "a@ẞ.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := otl.ParseEmail(s)
		if err != nil {
			return
		}
		if len(e.Key) > otl.MaxEmail || strings.Count(e.Key, "@") != 1 || e.Key != strings.ToLower(e.Key) ||
			strings.ContainsFunc(e.Key, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),:;<>@[\]`, r) && r != '@' }) {
			t.Fatalf("%q gives the key %q", s, e.Key)
		}
		again, err := otl.ParseEmail(e.Key)
		if err != nil || again.Key != e.Key {
			t.Fatalf("%q gives %q, which gives %q (%v)", s, e.Key, again.Key, err)
		}
	})
}

// TestOT13_AMailboxHasADomainInASCII, and is as it was typed before the "@"; what is no address stays as it is.
func TestOT13_AMailboxHasADomainInASCII(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Jane@München.example": "Jane@xn--mnchen-3ya.example", "jane@Dev.Test": "jane@dev.test", "no-reply@localhost": "no-reply@localhost",
		"a@b。example": "a@b。example", "": "", "jane": "jane", "a@b@c.test": "a@b@c.test", "jane@[::1]": "jane@[::1]",
	} {
		if got := otl.Mailbox(in); got != want {
			t.Errorf("%q goes to %q, want %q", in, got, want)
		}
	}
}
