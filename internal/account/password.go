package account

import (
	"bufio"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	zxcvbn "github.com/ccojocar/zxcvbn-go/data"
	"golang.org/x/text/unicode/norm"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// Bounds of a password (decision D10, PW-01).
const (
	MinPassword = 8    // code points
	MaxPassword = 1024 // bytes
)

// PasswordRules decide which new passwords are taken. There are no rules of
// composition, no expiry and no truncation (PW-02); what is refused is what is
// guessed first: a common password, or the name of the person or the site.
type PasswordRules struct {
	extra map[string]bool // the operator's own list

	once   sync.Once
	common []string        // in order; read at first use
	roots  map[string]bool // what many of them are made from, and what is shorter
	broken error
}

// ReadBlocklist adds the passwords of an operator's own file, one a line.
func (p *PasswordRules) ReadBlocklist(r io.Reader) error {
	p.extra = map[string]bool{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if word := fold(strings.TrimSpace(lines.Text())); word != "" {
			p.extra[word] = true
		}
	}
	return lines.Err()
}

// Check refuses a new password for the person with this address at this site.
// The error names the rule, never the password.
func (p *PasswordRules) Check(password secret.Text, email otl.Email, siteName string) error {
	s := password.Reveal()
	switch {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return otl.InvalidField("password", "bad_characters", "must be valid UTF-8 without NUL")
	case len(s) > MaxPassword:
		return otl.InvalidField("password", "too_long", "must be at most "+strconv.Itoa(MaxPassword)+" bytes")
	case utf8.RuneCountInString(norm.NFKC.String(s)) < MinPassword:
		return otl.InvalidField("password", "too_short", "must be at least "+strconv.Itoa(MinPassword)+" characters")
	}
	word := fold(s)
	first, err := p.guessed(word)
	if err != nil {
		return err
	}
	if first {
		return otl.InvalidField("password", "too_common", "is one of the passwords that are guessed first")
	}
	for _, own := range personal(email, siteName) {
		if word == own || strings.TrimFunc(word, notLetter) == own {
			return otl.InvalidField("password", "too_personal", "must not be your address or the name of the site")
		}
	}
	return nil
}

// guessed reports whether a folded password is among those that are guessed first, or made
// from one that is: by little that is added at its end, or by digits and signs for letters, which
// whoever guesses tries too (PW-04).
func (p *PasswordRules) guessed(word string) (bool, error) {
	p.once.Do(func() { p.broken = p.read() })
	if p.broken != nil {
		return false, p.broken
	}
	root := func(w string) bool { return p.roots[w] || p.extra[w] }
	common := func(w string) bool {
		_, found := slices.BinarySearch(p.common, w)
		return found || root(w)
	}
	plain := strings.TrimRightFunc(word, notLetter)
	if len(word)-len(plain) > mostAdded {
		plain = word
	}
	return uniform(word) || common(word) || common(letters.Replace(word)) || root(plain) || root(letters.Replace(plain)), nil
}

// mostAdded is how much somebody adds to a word whose password is guessed all the same: a year
// and a sign.
const mostAdded = 5

// letters puts letters for what is written in their place.
var letters = strings.NewReplacer("0", "o", "1", "l", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// commonFiles holds the 100,000 passwords of eight characters or more that were found most often
// in collections of stolen ones, folded and in order; docs/dependencies.md says whose list it is.
//
//go:embed common.txt.gz
var commonFiles embed.FS

// read reads the lists once, when the first new password is checked: a start does not pay for it.
func (p *PasswordRules) read() error {
	file, err := commonFiles.Open("common.txt.gz")
	if err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("read the list of common passwords: %w", err)
	}
	raw, err := io.ReadAll(unzipped)
	if err != nil {
		return fmt.Errorf("read the list of common passwords: %w", err)
	}
	p.common = strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	var short struct{ List []string }
	if raw, err = zxcvbn.Asset("data/Passwords.json"); err == nil {
		err = json.Unmarshal(raw, &short)
	}
	if err != nil {
		return fmt.Errorf("read the list of common passwords: %w", err)
	}
	p.roots = make(map[string]bool, len(short.List))
	for _, w := range short.List {
		p.roots[fold(w)] = true
	}
	return nil
}

// personal gives the words an attacker who knows person and site tries first.
func personal(email otl.Email, siteName string) []string {
	local, domain, _ := strings.Cut(email.Key, "@")
	words := []string{email.Key, local, domain, fold(siteName)}
	words = append(words, strings.FieldsFunc(local, notLetter)...)
	words = append(words, strings.Split(domain, ".")...)
	words = append(words, strings.Fields(fold(siteName))...)
	out := words[:0]
	for _, w := range words {
		if utf8.RuneCountInString(w) >= 4 {
			out = append(out, w)
		}
	}
	return out
}

func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// uniform reports whether one character is all there is.
func uniform(s string) bool {
	first, size := utf8.DecodeRuneInString(s)
	return strings.TrimLeft(s[size:], string(first)) == ""
}
