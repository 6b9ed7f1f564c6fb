package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// Bounds of parameters in bytes.
const (
	maxState = 2048
	maxNonce = 512
)

// Errors that are shown here: nobody is sent to an address that does not belong to the
// client (OA-02, OA-03).
var (
	errClient   = &otl.Error{Kind: otl.Invalid, Code: "client_unknown", Text: "No such client.", Field: "client_id"}
	errRedirect = &otl.Error{Kind: otl.Invalid, Code: "redirect_not_registered", Text: "is not one of the redirect URIs registered for this client", Field: "redirect_uri"}
)

// wish is an error that the client is told at its redirect URI (RFC 6749 section
// 4.1.2.1, OpenID Connect Core section 3.1.2.6).
type wish struct{ word, text string }

// authorize is /oidc/authorize: it begins a visit to the hosted pages on behalf of a
// client (OpenID Connect Core section 3.1.2).
func (s *Surface) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.Form
	c, of, err := s.Clients.Find(r.Context(), single(q, "client_id"))
	if errors.Is(err, site.ErrClient) {
		err = errClient
	}
	if err == nil && !c.Redirects(single(q, "redirect_uri")) {
		err = errRedirect
	}
	if err != nil {
		s.Page(w, r, err)
		return
	}
	a, prompts, bad := asked(q, c)
	if bad != nil {
		s.back(w, r, a, *bad)
		return
	}
	browser := s.bind(w, r)
	f, err := s.Flows.Begin(r.Context(), of, browser, a)
	if err != nil {
		s.Page(w, r, err)
		return
	}
	switch at := "/signin?f=" + url.QueryEscape(f.ID); {
	case slices.Contains(prompts, "none"):
		s.silent(w, r, f, browser, single(q, "id_token_hint"))
	case slices.Contains(prompts, "select_account"):
		s.send(w, r, at+"&as=other")
	default:
		s.send(w, r, at)
	}
}

// send sends the browser on, as after a form too (OA-07).
func (s *Surface) send(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // G710: a page of ours, or an address that was checked against those registered
}

func (s *Surface) back(w http.ResponseWriter, r *http.Request, a otl.Asked, no wish) {
	s.send(w, r, s.Flows.Back(a, "error", no.word)+"&error_description="+url.QueryEscape(no.text))
}

// bind gives the value of the cookie that visits of this browser are bound to, and sets
// it where there is none.
func (s *Surface) bind(w http.ResponseWriter, r *http.Request) secret.Text {
	if b := s.Jar.Get(r, cookie.Flow); signin.ValidBrowser(b) {
		return b
	}
	b := signin.NewBrowser()
	s.Jar.Set(w, cookie.Flow, b, 0)
	return b
}

// silent answers at once, without a page: with a code where nothing needs one, else
// with what would need it (prompt=none). A hint must be of whoever is signed in.
func (s *Surface) silent(w http.ResponseWriter, r *http.Request, f otl.Flow, browser secret.Text, hint string) {
	v, err := s.Flows.Visit(r.Context(), f.ID, browser, s.Jar.Held(r))
	if err != nil {
		s.Page(w, r, err)
		return
	}
	step, err := s.Flows.Next(r.Context(), v)
	if err != nil {
		s.Page(w, r, err)
		return
	}
	if hint != "" && step != signin.StepSignIn {
		if _, person, _, err := s.Identity.Hint(secret.NewText(hint)); err != nil || person != v.Who.User.ID {
			step = signin.StepSignIn
		}
	}
	switch step {
	case signin.StepDone:
		to, err := s.Flows.Finish(r.Context(), v)
		if err != nil {
			s.Page(w, r, err)
			return
		}
		s.send(w, r, to)
	case signin.StepConsent:
		s.back(w, r, f.Asked, wish{"consent_required", "The person has to decide what the client may see."})
	case signin.StepSignIn:
		s.back(w, r, f.Asked, wish{"login_required", "Nobody is signed in, or somebody else, or not lately enough."})
	default:
		s.back(w, r, f.Asked, wish{"interaction_required", "A second factor is needed."})
	}
}

// asked reads what a client asks for. What is needed to send the browser back is given
// along with an error.
func asked(q url.Values, c otl.Client) (otl.Asked, []string, *wish) {
	a := otl.Asked{
		Client: c.ID, Redirect: single(q, "redirect_uri"), State: single(q, "state"), Challenge: single(q, "code_challenge"),
		Hint: single(q, "login_hint"), Locales: single(q, "ui_locales"), More: map[string]string{},
	}
	if len(a.State) > maxState {
		a.State = ""
		return a, nil, &wish{"invalid_request", "state must be at most 2048 bytes"}
	}
	for name, values := range q {
		if len(values) > 1 {
			return a, nil, &wish{"invalid_request", "a parameter stands twice: " + strconv.QuoteToASCII(name)}
		}
	}
	if len(a.Hint) > otl.MaxEmail || len(a.Locales) > 100 {
		a.Hint, a.Locales = "", "" // no reason to refuse anybody
	}
	if no := form(q, c, a); no != nil {
		return a, nil, no
	}
	nonce, scope := q.Get("nonce"), scopes(q.Get("scope"))
	if len(nonce) > maxNonce {
		return a, nil, &wish{"invalid_request", "nonce must be at most 512 bytes"}
	}
	if !slices.Contains(scope, "openid") {
		return a, nil, &wish{"invalid_scope", "scope must hold openid"}
	}
	a.More["nonce"], a.More[signin.MoreScope] = nonce, strings.Join(scope, " ")
	prompts, no := prompt(q, &a)
	return a, prompts, no
}

// form refuses what no client may ask for in this way: other answers than a code, by
// other ways than the query, request objects, and no PKCE (OA-01, OA-04).
func form(q url.Values, c otl.Client, a otl.Asked) *wish {
	switch answer := q.Get("response_type"); {
	case answer == "":
		return &wish{"invalid_request", "response_type is missing"}
	case answer != "code":
		return &wish{"unsupported_response_type", "response_type must be code"}
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return &wish{"invalid_request", "response_mode must be query"}
	case q.Has("request"):
		return &wish{"request_not_supported", "request objects are not supported"}
	case q.Has("request_uri"):
		return &wish{"request_uri_not_supported", "request objects are not supported"}
	case !c.Scopes.Has(otl.ScopeAuth):
		return &wish{"unauthorized_client", "this client lacks the scope auth"}
	case a.Challenge == "" && !q.Has("code_challenge_method") && c.NoPKCE:
		return nil
	}
	if err := signin.CheckChallenge(a.Challenge, q.Get("code_challenge_method")); err != nil {
		return &wish{"invalid_request", otl.As(err).Field + " " + otl.As(err).Text}
	}
	return nil
}

// scopes gives those of a list that there are, each once; others are passed over
// (OpenID Connect Core section 3.1.2.1).
func scopes(s string) []string {
	var out []string
	known := session.Scopes()
	for _, one := range strings.Fields(s) {
		if _, ok := known[one]; ok && !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// prompt reads how the person is to be asked.
func prompt(q url.Values, a *otl.Asked) ([]string, *wish) {
	prompts := strings.Fields(q.Get("prompt"))
	for _, p := range prompts {
		switch p {
		case "none":
			if len(prompts) > 1 {
				return nil, &wish{"invalid_request", "prompt none stands alone"}
			}
		case "login":
			a.MaxAge = -1
		case "consent":
			a.Consent = true
		case "select_account":
		default:
			return nil, &wish{"invalid_request", "prompt must be none, login, consent or select_account"}
		}
	}
	if age := q.Get("max_age"); age != "" && a.MaxAge == 0 {
		n, err := strconv.Atoi(age)
		if err != nil || n < 0 {
			return nil, &wish{"invalid_request", "max_age must be a number of seconds"}
		}
		if a.MaxAge = n; n == 0 {
			a.MaxAge = -1
		}
	}
	return prompts, nil
}
