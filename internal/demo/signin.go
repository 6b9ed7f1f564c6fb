package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/onetimelogin/otl/internal/secret"
)

// login sends a browser to the server's sign-in page.
func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	a := asked{verifier: random(), browser: s.browser(w, r), until: s.Now().Add(askTime)}
	state := random()
	s.mu.Lock()
	for other, one := range s.asked {
		if s.Now().After(one.until) || len(s.asked) >= keepVisitors {
			delete(s.asked, other)
		}
	}
	s.asked[state] = a
	s.mu.Unlock()
	challenge := sha256.Sum256([]byte(a.verifier))
	q := url.Values{
		"site": {s.ID}, "redirect_uri": {s.Callback}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	http.Redirect(w, r, s.Server+"/authorize?"+q.Encode(), http.StatusSeeOther)
}

// callback is where the server sends the browser back to, with a code that this
// site redeems under its own key.
func (s *Site) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	a, known := s.asked[q.Get("state")]
	delete(s.asked, q.Get("state"))
	s.mu.Unlock()
	c, err := r.Cookie(s.cookieName())
	switch {
	case !known || s.Now().After(a.until) || err != nil || c.Value != a.browser:
		s.show(w, r, http.StatusBadRequest, "This sign-in was not started here, or took too long. Start again.")
		return
	case q.Get("error") != "":
		s.show(w, r, http.StatusOK, "You did not connect "+s.Name+" to your account.")
		return
	}
	u, err := s.redeem(r.Context(), q.Get("code"), a.verifier)
	if err != nil {
		s.Log.Warn("demo sign-in failed", "site", s.Name, "err", err)
		s.show(w, r, http.StatusBadGateway, "The sign-in could not be finished. Start again.")
		return
	}
	s.mu.Lock()
	if len(s.visitors) >= keepVisitors {
		clear(s.visitors)
	}
	delete(s.visitors, c.Value)
	s.visitors[s.mark(w)] = u
	s.mu.Unlock()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// login is the answer of the server to a sign-in (contract 1.4).
type loginAnswer struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	User    struct {
		ID string `json:"id"`
	} `json:"user"`
}

// redeem exchanges a code and asks who came.
func (s *Site) redeem(ctx context.Context, code, verifier string) (*visitor, error) {
	var l loginAnswer
	if err := s.call(ctx, http.MethodPost, "/api/v1/auth/token", map[string]string{"code": code, "code_verifier": verifier}, &l); err != nil {
		return nil, err
	}
	u := &visitor{id: l.User.ID, access: secret.NewText(l.Access), refresh: secret.NewText(l.Refresh)}
	var state struct {
		Session string `json:"sid"`
	}
	if err := s.call(ctx, http.MethodPost, "/api/v1/auth/introspect", map[string]string{"token": l.Access}, &state); err != nil {
		return nil, err
	}
	u.session = state.Session
	var person map[string]any
	if err := s.call(ctx, http.MethodGet, "/api/v1/users/"+url.PathEscape(u.id), nil, &person); err != nil {
		return nil, err
	}
	u.fields = seen(person)
	return u, nil
}

// seen gives what a person lets the site see, in the order people read it.
func seen(person map[string]any) []field {
	var out []field
	for _, name := range []string{"name", "display_name", "username", "email", "phone", "picture", "locale"} {
		if v, ok := person[name].(string); ok && v != "" {
			out = append(out, field{name, v})
		}
	}
	return out
}

func (s *Site) logout(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		s.show(w, r, http.StatusForbidden, "Another site may not sign you out.")
		return
	}
	c, err := r.Cookie(s.cookieName())
	if err == nil {
		s.mu.Lock()
		u := s.visitors[c.Value]
		delete(s.visitors, c.Value)
		s.mu.Unlock()
		if u != nil {
			if err := s.call(r.Context(), http.MethodPost, "/api/v1/auth/logout", map[string]string{"refresh_token": u.refresh.Reveal()}, nil); err != nil {
				s.Log.Warn("demo sign-out", "site", s.Name, "err", err)
			}
		}
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// errNotFound is the answer to what is not there.
var errNotFound = errors.New("404")

// call asks the server's API with the key of the site.
func (s *Site) call(ctx context.Context, method, path string, in, out any) error {
	headers := http.Header{"X-Otl-Site-Key": {s.Key.Reveal()}}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		headers.Set("Content-Type", "application/json")
	}
	a, err := s.api.Do(ctx, method, s.Server+path, headers, body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case a.Status == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w", method, path, errNotFound)
	case !slices.Contains([]int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent}, a.Status):
		return fmt.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
	case out == nil:
		return nil
	}
	return json.Unmarshal(a.Body, out)
}
