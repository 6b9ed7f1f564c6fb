package transmit

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// expiresIn is the life of every token of this wire, in seconds.
const expiresIn = int(session.IdentityTTL / 1e9)

// refused writes an error of the token endpoint (RFC 6749 section 5.2).
func refused(w http.ResponseWriter, r *http.Request, code int, word, text string, err error) {
	otl.RequestOf(r.Context()).Err = err
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="oidc"`)
	}
	write(w, code, map[string]string{"error": word, "error_description": text})
}

// token is POST /oidc/token (contract 3.2): a client gets its access token.
func (s *Surface) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil || len(r.PostForm) == 0 && r.ContentLength > 0 {
		refused(w, r, http.StatusBadRequest, "invalid_request", "Send the parameters as application/x-www-form-urlencoded.", err)
		return
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			refused(w, r, http.StatusBadRequest, "invalid_request", "A parameter stands twice: "+strconv.Quote(name), nil)
			return
		}
	}
	id, password, err := credentials(r)
	if err != nil {
		refused(w, r, http.StatusBadRequest, "invalid_request", "Prove the client in one way: by Basic or in the form.", err)
		return
	}
	c, of, err := s.Clients.Authenticate(r.Context(), id, password)
	switch {
	case errors.Is(err, site.ErrClient):
		refused(w, r, http.StatusUnauthorized, "invalid_client", "The client id or the secret is wrong.", err)
		return
	case err != nil:
		Fail(w, r, err)
		return
	}
	req := otl.RequestOf(r.Context())
	req.SiteID, req.SiteKeyID, req.By = of.ID, c.ID, otl.Actor{Kind: otl.ActorClient, ID: c.ID}
	req.Client, req.UserAgent = netip.Addr{}, "" // of the client's server, not of a person
	resource := r.PostForm.Get("resource")
	switch grant := r.PostForm.Get("grant_type"); {
	case grant == "":
		refused(w, r, http.StatusBadRequest, "invalid_request", "grant_type is missing.", nil)
	case grant == "authorization_code":
		s.exchangeCode(w, r, c, of)
	case grant == "refresh_token":
		s.exchangeRefresh(w, r, c, of)
	case grant != "client_credentials":
		refused(w, r, http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials, authorization_code or refresh_token.", nil)
	case resource != "" && !slices.Contains(c.Resources, resource):
		refused(w, r, http.StatusBadRequest, "invalid_target", "The resource is not one of this client's.", nil)
	default:
		err := s.Identity.Wait(r.Context())
		var access secret.Text
		if err == nil {
			access, err = s.Identity.Client(c, of, resource)
		}
		if err != nil {
			Fail(w, r, err)
			return
		}
		write(w, http.StatusOK, map[string]any{"access_token": access.Reveal(), "token_type": "Bearer", "expires_in": expiresIn})
	}
}

// exchangeCode redeems a code that a browser brought: of a link or a one-time code
// (contract 3.2, 3.8), or of a visit to the hosted pages (RFC 6749 section 4.1.3).
func (s *Surface) exchangeCode(w http.ResponseWriter, r *http.Request, c otl.Client, of otl.Site) {
	if !c.Scopes.Has(otl.ScopeAuth) {
		refused(w, r, http.StatusBadRequest, "unauthorized_client", "This client lacks the scope auth.", nil)
		return
	}
	code, redirect := secret.NewText(r.PostForm.Get("code")), r.PostForm.Get("redirect_uri")
	if strings.HasPrefix(code.Reveal(), signin.LinkCodePrefix) {
		p, a, err := s.redeem(r, c, of, code, redirect)
		s.granted(w, r, p.Tokens, a, err)
		return
	}
	e, err := s.Flows.Exchange(r.Context(), signin.Exchange{Site: of, Client: c.ID, Code: code, Verifier: r.PostForm.Get("code_verifier"), Redirect: redirect})
	s.granted(w, r, e.Tokens, session.Ask{Client: c, Nonce: e.More["nonce"]}, err)
}

// exchangeRefresh renews a session of the client's site.
func (s *Surface) exchangeRefresh(w http.ResponseWriter, r *http.Request, c otl.Client, of otl.Site) {
	if !c.Scopes.Has(otl.ScopeAuth) {
		refused(w, r, http.StatusBadRequest, "unauthorized_client", "This client lacks the scope auth.", nil)
		return
	}
	t, err := s.SignIn.RefreshFor(r.Context(), secret.NewText(r.PostForm.Get("refresh_token")), of, c.ID)
	s.granted(w, r, t, session.Ask{Client: c}, err)
}

// granted answers with the tokens of a person, or words the error as RFC 6749 does:
// whatever is wrong with what was presented is an invalid grant.
func (s *Surface) granted(w http.ResponseWriter, r *http.Request, t session.Tokens, a session.Ask, err error) {
	if err == nil {
		err = s.Identity.Wait(r.Context())
	}
	var out any
	if err == nil {
		out, err = s.answer(t, a)
	}
	if err == nil {
		write(w, http.StatusOK, out)
		return
	}
	switch otl.As(err).Kind {
	case otl.Unauthenticated, otl.Forbidden, otl.NotFound, otl.Invalid:
		refused(w, r, http.StatusBadRequest, "invalid_grant", otl.As(err).Text, err)
	default:
		Fail(w, r, err)
	}
}

var errTwice = errors.New("client credentials by Basic and in the form")

// credentials reads the id and the secret of a client, form-encoded in Basic as RFC
// 6749 section 2.3.1 has it.
func credentials(r *http.Request) (id string, password secret.Text, err error) {
	user, pass, basic := r.BasicAuth()
	if !basic {
		return r.PostForm.Get("client_id"), secret.NewText(r.PostForm.Get("client_secret")), nil
	}
	if r.PostForm.Has("client_secret") {
		return "", secret.Text{}, errTwice
	}
	if id, err = url.QueryUnescape(user); err != nil {
		return "", secret.Text{}, err
	}
	plain, err := url.QueryUnescape(pass)
	return id, secret.NewText(plain), err
}

func (s *Surface) jwks(w http.ResponseWriter, r *http.Request) {
	if err := s.Identity.Wait(r.Context()); err != nil {
		Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Access-Control-Allow-Origin", "*") // public by nature
	_, _ = w.Write(s.JWKS())
}
