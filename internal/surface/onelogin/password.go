package onelogin

import (
	"context"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// The calls by which a site gives people of its own a password (contract 2.14, decision
// D1).

// setPassword is PUT /api/1/users/set_password_clear_text/{id}. Passwords are always held
// against the rules.
func (s people) setPassword(c *call, in *personIn) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	given, err := in.password()
	if err == nil && given.Empty() {
		err = invalid("password", "is required")
	}
	if err != nil {
		return reply{}, err
	}
	return success(nil), s.givePassword(c, m, account.GivenPassword{Password: given})
}

// givePassword gives a person a password, his first one or another.
func (s people) givePassword(c *call, m account.Member, g account.GivenPassword) error {
	set := func(ctx context.Context, replace bool) error {
		g.Replace = replace
		return s.Members.SetPassword(ctx, c.site, m.User.ID, g)
	}
	err := set(c.ctx(), true)
	if otl.Is(err, account.ErrNoPassword.Code) {
		err = set(c.ctx(), false)
	}
	return err
}

// maxSalt is the longest salt of a password's digest, in characters.
const maxSalt = 40

// setDigest is PUT /api/1/users/set_password_using_salt/{id}: of the password only the
// SHA-256 digest is told, of salt and password in this order, and nobody can hold it
// against the rules. The person's next sign-in replaces what is kept of it.
func (s people) setDigest(c *call, in *personIn) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	given, err := in.password()
	if err != nil {
		return reply{}, err
	}
	algorithm, err := in.textOf("password_algorithm")
	if err != nil || algorithm == nil || *algorithm != "salt+sha256" {
		return reply{}, invalid("password_algorithm", "must be salt+sha256")
	}
	salt, err := in.textOf("password_salt")
	if err != nil {
		return reply{}, err
	}
	if salt == nil {
		salt = new(string)
	}
	if utf8.RuneCountInString(*salt) > maxSalt {
		return reply{}, invalid("password_salt", "must be at most 40 characters")
	}
	d, err := secret.ParseDigested(*salt, given.Reveal())
	if err != nil {
		return reply{}, invalid("password", "must be the SHA-256 digest of salt and password, in hexadecimal")
	}
	return success(nil), s.givePassword(c, m, account.GivenPassword{Digest: &d})
}
