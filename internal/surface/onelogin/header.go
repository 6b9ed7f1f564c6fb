package onelogin

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"

	"github.com/onetimelogin/otl/internal/secret"
)

// authorization gives the header, in one piece.
func authorization(r *http.Request) string {
	return strings.TrimSpace(strings.Join(r.Header.Values("Authorization"), ", "))
}

// bearer reads the token of a call: bearer, with a colon or blanks after it, in any
// case of letters. Clients write it in four ways.
func bearer(header string) (secret.Text, error) {
	const scheme = "bearer"
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return secret.Text{}, errAuthorization
	}
	token := strings.TrimLeft(header[len(scheme):], ": \t")
	if token == header[len(scheme):] || token == "" || strings.ContainsAny(token, " \t,") {
		return secret.Text{}, errAuthorization
	}
	return secret.NewText(token), nil
}

var pair = regexp.MustCompile(`^(?i:client_id):\s*([^,\s]+)\s*,\s*(?i:client_secret):\s*([^,\s]+)$`)

// credential is a client that says who it is.
type credential struct {
	id     string
	secret secret.Text
}

// client reads the credential of a client: Basic, or OneLogin's own form.
func client(header string) (credential, error) {
	if header == "" {
		return credential{}, errNoClient
	}
	if m := pair.FindStringSubmatch(header); m != nil {
		return credential{m[1], secret.NewText(m[2])}, nil
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credential{}, errAuthorization
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	id, password, found := strings.Cut(string(plain), ":")
	if err != nil || !found || id == "" || password == "" {
		return credential{}, errAuthorization
	}
	return credential{id, secret.NewText(password)}, nil
}
