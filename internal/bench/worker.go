package bench

import (
	"fmt"
	"net/http"

	"github.com/onetimelogin/otl/internal/secret"
)

// Person is somebody a run may sign in.
type Person struct {
	Email    string
	Password secret.Text
	Seed     secret.Text // of his authenticator app, where he has one
}

func (p Person) body() []byte {
	return marshal(map[string]string{"email": p.Email, "password": p.Password.Reveal()})
}

// tokens are those of one session.
type tokens struct {
	access, refresh string
	user            string // id
	role            bool   // whether the person has the role of the bench
}

func siteKey(key secret.Text) string { return "X-OTL-Site-Key: " + key.Reveal() + "\r\n" }

// unexpected is an answer that no load reckons with.
func unexpected(status int, body []byte) error {
	return fmt.Errorf("unexpected answer %d: %.300s", status, body)
}

// fixed sends one request again and again. A 503 is a refusal.
type fixed struct {
	*client
	raw []byte
}

func (w fixed) step() (bool, error) {
	status, err := w.do(w.raw)
	switch {
	case err != nil:
		return false, err
	case status == http.StatusOK:
		return true, nil
	case status == http.StatusServiceUnavailable:
		return false, nil
	}
	return false, unexpected(status, w.body)
}

// refresher exchanges the refresh token of one session again and again.
type refresher struct {
	*client
	header  string
	session *tokens
}

func (w refresher) step() (bool, error) {
	status, err := w.do(w.request(http.MethodPost, "/api/v1/auth/refresh", w.header, []byte(`{"refresh_token":"`+w.session.refresh+`"}`)))
	if err != nil {
		return false, err
	}
	if status != http.StatusOK {
		return false, unexpected(status, w.body)
	}
	w.session.refresh, w.session.access = w.text("refresh_token"), w.text("access_token")
	return true, nil
}

// login signs a person in once.
func (o Options) login(c *client, p Person) (*tokens, error) {
	status, err := c.do(c.request(http.MethodPost, "/api/v1/auth/login", siteKey(o.SiteKey), p.body()))
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, unexpected(status, c.body)
	}
	return &tokens{access: c.text("access_token"), refresh: c.text("refresh_token"), user: c.text("id")}, nil
}
