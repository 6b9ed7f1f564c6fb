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
	errLanding  = &otl.Error{Kind: otl.Invalid, Code: errRedirect.Code, Text: "is not one of the addresses to go on at after a sign-out that are registered for this client", Field: "post_logout_redirect_uri"}
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
	if err == nil && strings.HasPrefix(single(q, "request_uri"), signin.PushedPrefix) && !q.Has("request") {
		s.pushed(w, r, c, of)
		return
	}
	if err != nil {
		s.Page(w, r, err)
		return
	}
	if to := single(q, "redirect_uri"); !c.Redirects(to) {
		s.Mismatch(w, r, of, c, errRedirect, to)
		return
	}
	a, bad := s.wanted(q, c)
	if bad == nil && c.RequirePAR {
		bad = &wish{"invalid_request", "this client sends its requests ahead, to pushed_authorization_request_endpoint"}
	}
	if bad != nil {
		s.back(w, r, of, a, *bad)
		return
	}
	s.begin(w, r, of, a)
}

// wanted reads what a client asks for, and of whom.
func (s *Surface) wanted(q url.Values, c otl.Client) (otl.Asked, *wish) {
	a, bad := asked(q, c)
	if bad == nil {
		bad = s.person(q, &a)
	}
	return a, bad
}

// begin goes on with what a client asked for: back at once where nothing is to be asked
// of the person; else back with what there is to ask where the client wants no page
// (prompt=none), and to the pages where it does.
func (s *Surface) begin(w http.ResponseWriter, r *http.Request, of otl.Site, a otl.Asked) {
	signin.FromDevice(r.Context(), s.Jar.Get(r, cookie.Device))
	answer, step, err := s.Flows.Straight(r.Context(), of, s.Jar.Held(r), a)
	switch {
	case err != nil:
		s.Page(w, r, err)
	case step == signin.StepDone:
		s.Leave(w, r, of, answer)
	case a.Silent:
		s.back(w, r, of, a, needs(step))
	default:
		f, err := s.Flows.Begin(r.Context(), of, s.bind(w, r), a)
		if err != nil {
			s.Page(w, r, err)
			return
		}
		s.send(w, r, "/signin?f="+url.QueryEscape(f.ID))
	}
}

// send sends the browser on, as after a form too (OA-07).
func (s *Surface) send(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // G710: a page of ours, or an address that was checked against those registered
}

func (s *Surface) back(w http.ResponseWriter, r *http.Request, of otl.Site, a otl.Asked, no wish) {
	s.Leave(w, r, of, s.Flows.Back(a, "error", no.word, "error_description", no.text))
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

// needs words what a step would ask of a person whom no page may be shown (OpenID
// Connect Core section 3.1.2.6).
func needs(step signin.Next) wish {
	switch step {
	case signin.StepSignIn:
		return wish{"login_required", "Nobody is signed in, or somebody else, or not lately enough."}
	case signin.StepChoose:
		return wish{"account_selection_required", "The person has to say as whom to go on."}
	case signin.StepBarred:
		return wish{"access_denied", "The site has suspended the person."}
	case signin.StepConsent:
		return wish{"consent_required", "The person has to decide what the client may see."}
	}
	return wish{"interaction_required", "A second factor is needed."}
}

// asked reads what a client asks for. What is needed to send the browser back is given
// along with an error.
func asked(q url.Values, c otl.Client) (otl.Asked, *wish) {
	a := otl.Asked{
		Client: c.ID, Redirect: single(q, "redirect_uri"), State: single(q, "state"), Challenge: single(q, "code_challenge"),
		Hint: single(q, "login_hint"), Locales: single(q, "ui_locales"), Subject: c.SubjectType, More: map[string]string{},
	}
	if single(q, "response_mode") == signin.ModeForm {
		a.Mode = signin.ModeForm
	}
	if len(a.State) > maxState {
		a.State = ""
		return a, &wish{"invalid_request", "state must be at most 2048 bytes"}
	}
	for name, values := range q {
		if len(values) > 1 {
			return a, &wish{"invalid_request", "a parameter stands twice: " + strconv.QuoteToASCII(name)}
		}
	}
	if len(a.Hint) > otl.MaxEmail || len(a.Locales) > 100 {
		a.Hint, a.Locales = "", "" // no reason to refuse anybody
	}
	if no := form(q, c, a); no != nil {
		return a, no
	}
	nonce, scope := q.Get("nonce"), scopes(q.Get("scope"))
	if len(nonce) > maxNonce {
		return a, &wish{"invalid_request", "nonce must be at most 512 bytes"}
	}
	if !slices.Contains(scope, "openid") {
		return a, &wish{"invalid_scope", "scope must hold openid"}
	}
	a.More["nonce"], a.More[signin.MoreScope] = nonce, strings.Join(scope, " ")
	key := q.Get("dpop_jkt")
	if key != "" && len(key) != 43 {
		return a, &wish{"invalid_request", "dpop_jkt must be the SHA-256 thumbprint of a key in base64url"}
	}
	a.More[signin.MoreKey] = key
	if no := claims(q.Get("claims"), &a); no != nil {
		return a, no
	}
	signin.Wish(&a, strings.Fields(q.Get("acr_values"))...)
	return a, prompt(q, &a)
}

// form refuses what no client may ask for in this way: other answers than a code, by
// other ways than the query, request objects, and no PKCE (OA-01, OA-04).
func form(q url.Values, c otl.Client, a otl.Asked) *wish {
	switch answer := q.Get("response_type"); {
	case answer == "":
		return &wish{"invalid_request", "response_type is missing"}
	case answer != "code":
		return &wish{"unsupported_response_type", "response_type must be code"}
	case !slices.Contains([]string{"", "query", signin.ModeForm}, q.Get("response_mode")):
		return &wish{"invalid_request", "response_mode must be query or form_post"}
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
func prompt(q url.Values, a *otl.Asked) *wish {
	prompts := strings.Fields(q.Get("prompt"))
	for _, p := range prompts {
		switch p {
		case "none":
			if a.Silent = true; len(prompts) > 1 {
				return &wish{"invalid_request", "prompt none stands alone"}
			}
			if a.Wish { // nobody is asked, and what there is is told (OpenID Connect Core section 5.5.1.1)
				a.Factors, a.Wish = 0, false
			}
		case "login":
			a.MaxAge = -1
		case "consent":
			a.Consent = true
		case "select_account":
			a.Choose = true
		default:
			return &wish{"invalid_request", "prompt must be none, login, consent or select_account"}
		}
	}
	if age := q.Get("max_age"); age != "" && a.MaxAge == 0 {
		n, err := strconv.Atoi(age)
		if err != nil || n < 0 {
			return &wish{"invalid_request", "max_age must be a number of seconds"}
		}
		if a.MaxAge = n; n == 0 {
			a.MaxAge = -1
		}
	}
	return nil
}

// person reads whom the client takes the person for: by an ID token of his, which may
// have expired, or by the claim sub.
func (s *Surface) person(q url.Values, a *otl.Asked) *wish {
	hint := q.Get("id_token_hint")
	if hint == "" {
		return nil
	}
	_, sub, _, err := s.Identity.Hint(secret.NewText(hint))
	if err != nil || !session.ValidSubject(a.Subject, sub) || a.Person != "" && a.Person != sub {
		return &wish{"login_required", "id_token_hint is no ID token of this server for this client, or another person's."}
	}
	a.Person = sub
	return nil
}
