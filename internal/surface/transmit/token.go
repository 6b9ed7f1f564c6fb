package transmit

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/oauth"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// expiresIn is the life of every token of this wire, in seconds.
const expiresIn = int(session.IdentityTTL / 1e9)

// refused writes an error of the token endpoint (RFC 6749 section 5.2).
func refused(w http.ResponseWriter, r *http.Request, code int, word, text string, err error) {
	otl.RequestOf(r.Context()).Err = err
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="oidc"`)
	}
	wire.JSON(w, code, map[string]string{"error": word, "error_description": text})
}

// token is POST /oidc/token (contract 3.2): a client gets its access token.
func (s *Surface) token(w http.ResponseWriter, r *http.Request) {
	if err := oauth.Form(w, r, maxBody); err != nil {
		refuseClient(w, r, err)
		return
	}
	var of otl.Site
	var c otl.Client
	var key string
	err := s.Door.Share(w, r, c)
	if err == nil {
		c, of, err = s.Door.Client(r)
	}
	if err == nil {
		err = s.Door.Share(w, r, c)
	}
	if err == nil {
		key, err = s.Door.Key(r, c, secret.Text{})
	}
	if err != nil {
		refuseClient(w, r, err)
		return
	}
	req := otl.RequestOf(r.Context())
	req.Client, req.UserAgent = netip.Addr{}, "" // of the client's server, not of a person
	s.grant(w, r, caller{c, of, key})
}

// refuseClient words what is wrong with how a client proves itself or its key.
func refuseClient(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, site.ErrClient):
		refused(w, r, http.StatusUnauthorized, "invalid_client", otl.As(err).Text, err)
	case errors.Is(err, session.ErrProof):
		refused(w, r, http.StatusBadRequest, "invalid_dpop_proof", otl.As(err).Text, err)
	case otl.As(err).Kind == otl.Malformed:
		refused(w, r, wire.Status(otl.As(err)), "invalid_request", otl.As(err).Text, err)
	default:
		Fail(w, r, err)
	}
}

// caller is the client of a call to the token endpoint.
type caller struct {
	client otl.Client
	site   otl.Site
	key    string // thumbprint of the key it proved to hold, "" for none
}

// binds reports whether the refresh tokens of the client are bound to its key: those of
// a client that cannot prove itself in another way (RFC 9449 section 5).
func (c caller) binds() bool { return c.client.Auth == otl.AuthNone }

// grant answers by what the client presents.
func (s *Surface) grant(w http.ResponseWriter, r *http.Request, by caller) {
	c, of := by.client, by.site
	resource := r.PostForm.Get("resource")
	switch grant := r.PostForm.Get("grant_type"); {
	case grant == "":
		refused(w, r, http.StatusBadRequest, "invalid_request", "grant_type is missing.", nil)
	case c.RequireDPoP && by.key == "" && known(grant):
		refused(w, r, http.StatusBadRequest, "invalid_dpop_proof", "This client's tokens are bound to a key: send a proof of it in the header DPoP.", nil)
	case known(grant) && !c.Scopes.Has(otl.ScopeAuth):
		refused(w, r, http.StatusBadRequest, "unauthorized_client", "This client lacks the scope auth.", nil)
	case grant == "authorization_code":
		s.exchangeCode(w, r, by)
	case grant == deviceGrant && !c.Device:
		refused(w, r, http.StatusBadRequest, "unauthorized_client", "This client was not made for devices.", nil)
	case grant == deviceGrant:
		s.exchangeDevice(w, r, by)
	case grant == "refresh_token":
		s.exchangeRefresh(w, r, by)
	case grant == "client_credentials" && c.Auth == otl.AuthNone:
		refused(w, r, http.StatusBadRequest, "unauthorized_client", "A public client has no tokens of its own.", nil)
	case grant == "client_credentials" && c.FAPI: // these calls bind no token to a key
		refused(w, r, http.StatusBadRequest, "unauthorized_client", "A client of the profile FAPI has no tokens of its own.", nil)
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
		wire.JSON(w, http.StatusOK, map[string]any{"access_token": access.Reveal(), "token_type": "Bearer", "expires_in": expiresIn})
	}
}

// known reports whether there is a grant of this name for people.
func known(grant string) bool {
	return slices.Contains([]string{"authorization_code", "refresh_token", deviceGrant}, grant)
}

// deviceGrant is the grant_type of a device (RFC 8628 section 3.4).
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// exchangeDevice answers a device that asks whether somebody has let it in.
func (s *Surface) exchangeDevice(w http.ResponseWriter, r *http.Request, by caller) {
	t, err := signin.Devices{Flows: s.Flows}.Fetch(r.Context(), signin.Fetch{
		Site: by.site, Client: by.client.ID, Device: secret.NewText(r.PostForm.Get("device_code")), Key: by.key, Bind: by.binds(),
	})
	for _, word := range []*otl.Error{signin.ErrDevicePending, signin.ErrDeviceSoon, signin.ErrDeviceDenied, signin.ErrDeviceLate} {
		if errors.Is(err, word) {
			refused(w, r, http.StatusBadRequest, word.Code, word.Text, err)
			return
		}
	}
	s.granted(w, r, t, session.Ask{Client: by.client, Key: by.key}, err)
}

// exchangeCode redeems a code that a browser brought: of a link or a one-time code
// (contract 3.2, 3.8), or of a visit to the hosted pages (RFC 6749 section 4.1.3).
func (s *Surface) exchangeCode(w http.ResponseWriter, r *http.Request, by caller) {
	code, redirect := secret.NewText(r.PostForm.Get("code")), r.PostForm.Get("redirect_uri")
	if strings.HasPrefix(code.Reveal(), signin.LinkCodePrefix) {
		p, a, err := s.redeem(r, by.client, by.site, code, redirect)
		a.Key = by.key
		s.granted(w, r, p.Tokens, a, err)
		return
	}
	e, err := s.Flows.Exchange(r.Context(), signin.Exchange{
		Site: by.site, Client: by.client.ID, Code: code, Verifier: r.PostForm.Get("code_verifier"), Redirect: redirect, Key: by.key, Bind: by.binds(),
	})
	a := session.Ask{Client: by.client}
	if err == nil {
		a, err = asked(by.client, e.More)
	}
	a.Nonce, a.Key = e.More["nonce"], by.key
	s.granted(w, r, e.Tokens, a, err)
}

// exchangeRefresh renews a session of the client's site.
func (s *Surface) exchangeRefresh(w http.ResponseWriter, r *http.Request, by caller) {
	t, err := s.SignIn.RefreshFor(r.Context(), secret.NewText(r.PostForm.Get("refresh_token")), by.site, session.Holder{Client: by.client.ID, Key: by.key, Public: by.client.Auth == otl.AuthNone, Stays: by.client.FAPI})
	s.granted(w, r, t, session.Ask{Client: by.client, Key: by.key}, err)
}

// granted answers with the tokens of a person, or words the error as RFC 6749 does:
// whatever is wrong with what was presented is an invalid grant.
func (s *Surface) granted(w http.ResponseWriter, r *http.Request, t session.Tokens, a session.Ask, err error) {
	if err == nil {
		err = s.Identity.Wait(r.Context())
	}
	var out any
	if err == nil {
		a.OAuth = true
		out, err = s.answer(t, a)
	}
	if err == nil {
		wire.JSON(w, http.StatusOK, out)
		return
	}
	switch otl.As(err).Kind {
	case otl.Unauthenticated, otl.Forbidden, otl.NotFound, otl.Invalid:
		refused(w, r, http.StatusBadRequest, "invalid_grant", otl.As(err).Text, err)
	default:
		Fail(w, r, err)
	}
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
