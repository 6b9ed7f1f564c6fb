package onelogin

import (
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/secret"
)

// The calls by which a site gives people of its own a password (contract 2.14, decision
// D1).

// setPassword is PUT /api/1/users/set_password_clear_text/{id}. Passwords are always held
// against the rules.
func (s people) setPassword(c *call, in *personIn) (reply, error) {
	return s.givePassword(c, in, "")
}

// setDigest is PUT /api/1/users/set_password_using_salt/{id}: of the password only the
// SHA-256 digest is told, of salt and password in this order, and nobody can hold it
// against the rules. The person's next sign-in replaces what is kept of it.
func (s people) setDigest(c *call, in *personIn) (reply, error) {
	return s.givePassword(c, in, "password_salt")
}

// givePassword gives a person a password, his first one or another; salt is the member that has
// the salt of its digest, "" where the password itself is told.
func (s people) givePassword(c *call, in *personIn, salt string) (reply, error) {
	m, err := s.member(c)
	if err != nil {
		return reply{}, err
	}
	g, err := in.given(salt)
	if err == nil && g == nil {
		err = invalid("password", "is required")
	}
	if err != nil {
		return reply{}, err
	}
	return success(nil), s.Members.SetPassword(c.ctx(), c.site, m.User.ID, *g)
}

// passwordOf reads the password that somebody is to have.
func (in personIn) passwordOf(c *personChange) (err error) {
	salt := ""
	if in.there("password_algorithm") {
		salt = "salt"
	}
	c.Password, err = in.given(salt)
	for _, name := range []string{"password_confirmation", "password_algorithm", "salt"} {
		if err == nil && c.Password == nil && in.there(name) {
			err = invalid("password", "is required beside "+name)
		}
	}
	return err
}

// maxSalt is the longest salt of a password's digest, in characters.
const maxSalt = 40

// given reads a password, nil for none: its digest where there is a member that has the salt.
func (in personIn) given(saltMember string) (*account.GivenPassword, error) {
	given, err := in.textOf("password")
	if err != nil || given == nil {
		return nil, err
	}
	if again, err := in.textOf("password_confirmation"); err != nil || again == nil || *again != *given {
		return nil, invalid("password_confirmation", "must be the password")
	}
	g := &account.GivenPassword{Password: secret.NewText(*given), Either: true}
	if saltMember == "" {
		return g, nil
	}
	algorithm, err := in.textOf("password_algorithm")
	if err != nil || algorithm == nil || *algorithm != "salt+sha256" {
		return nil, invalid("password_algorithm", "must be salt+sha256")
	}
	salt, err := in.textOf(saltMember)
	if err != nil {
		return nil, err
	}
	if salt == nil {
		salt = new(string)
	}
	if utf8.RuneCountInString(*salt) > maxSalt {
		return nil, invalid(saltMember, "must be at most 40 characters")
	}
	d, err := secret.ParseDigested(*salt, *given)
	if err != nil {
		return nil, invalid("password", "must be the SHA-256 digest of salt and password, in hexadecimal")
	}
	g.Password, g.Digest = secret.Text{}, &d
	return g, nil
}
