package onelogin

import (
	"context"
	"errors"
	"net/http"

	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// tokens are the calls by which clients get what they call everything else with.
type tokens struct{ *Surface }

// tokenIn is what a client asks a pair of tokens with.
type tokenIn struct {
	Grant   string      `json:"grant_type"`
	Access  secret.Text `json:"access_token"`
	Refresh secret.Text `json:"refresh_token"`

	client credential // of a form, which may hold it
}

// tokenOut is a pair of tokens (contract 2.2). It has no member status: clients take
// that for an error.
type tokenOut struct {
	Access    string `json:"access_token"`
	CreatedAt string `json:"created_at"`
	ExpiresIn int    `json:"expires_in"` // seconds after created_at
	Refresh   string `json:"refresh_token"`
	Type      string `json:"token_type"`
	Account   int    `json:"account_id"`
}

// current is POST /auth/oauth2/v2/token: a client has one pair of tokens and is given
// it whenever it asks.
func (s tokens) current(w http.ResponseWriter, r *http.Request) {
	out, err := s.pair(w, r, s.Tokens.Get)
	if err != nil {
		Fail(w, r, err)
		return
	}
	write(w, reply{http.StatusOK, out})
}

// fresh is POST /auth/oauth2/token (contract 2.3): each new pair ends those
// before it.
func (s tokens) fresh(w http.ResponseWriter, r *http.Request) {
	out, err := s.pair(w, r, s.Tokens.Replace)
	if err != nil {
		Fail(w, r, err)
		return
	}
	write(w, success([]tokenOut{out}))
}

// pair gives the pair that is asked for; make does where it is not by an older one.
func (s tokens) pair(w http.ResponseWriter, r *http.Request, pairOf func(context.Context, otl.Client) (site.APITokenPair, error)) (tokenOut, error) {
	in, err := readToken(w, r)
	if err != nil {
		return tokenOut{}, err
	}
	var p site.APITokenPair
	var of otl.Site
	switch in.Grant {
	case "client_credentials":
		var c otl.Client
		if c, of, err = s.prove(r, in.client); err == nil {
			p, err = pairOf(r.Context(), c)
		}
	case "refresh_token":
		p, of, err = s.Tokens.Exchange(r.Context(), in.Access, in.Refresh)
	default:
		err = errGrantType
	}
	if err != nil {
		return tokenOut{}, err
	}
	account, err := s.Numbers.Of(r.Context(), number.Account, of.ID)
	return tokenOut{
		p.Access.Reveal(), p.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z"), int(site.APITokenTTL.Seconds()), p.Refresh.Reveal(), "bearer", account,
	}, err
}

// readToken reads a request for tokens, in JSON or as a form with the credential in it.
func readToken(w http.ResponseWriter, r *http.Request) (in tokenIn, err error) {
	if !wire.Sends(r, wire.MediaForm) {
		return in, read(w, r, &in)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	err = r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return in, wire.TooLarge(maxBody)
	case err != nil:
		return in, errContentType
	}
	f := r.PostForm
	in = tokenIn{Grant: f.Get("grant_type"), Access: secret.NewText(f.Get("access_token")), Refresh: secret.NewText(f.Get("refresh_token"))}
	if f.Get("client_id") != "" && f.Get("client_secret") != "" {
		in.client = credential{f.Get("client_id"), secret.NewText(f.Get("client_secret"))}
	}
	return in, nil
}

// errPairwise is why a client of pairwise subjects gets nothing here: this wire knows people by
// numbers that are the same at every site (PR-07).
var errPairwise = &otl.Error{Kind: otl.Forbidden, Code: "scope_missing", Text: "This client knows people by ids of its site alone, and this wire by numbers of the whole server."}

// prove finds the client of a request: that of the header, or where there is none
// that of the form.
func (s tokens) prove(r *http.Request, form credential) (otl.Client, otl.Site, error) {
	given, err := client(authorization(r))
	if errors.Is(err, errNoClient) && form.id != "" {
		given, err = form, nil
	}
	if err != nil {
		return otl.Client{}, otl.Site{}, err
	}
	c, of, err := s.Clients.Authenticate(r.Context(), given.id, given.secret)
	req := otl.RequestOf(r.Context())
	req.SiteID, req.SiteKeyID = of.ID, c.ID
	if err == nil && c.SubjectType == otl.SubjectPairwise {
		err = errPermission.because(errPairwise)
	}
	if err == nil {
		err = s.checkHost(&call{r: r, site: of})
	}
	return c, of, err
}

// revoke is POST /auth/oauth2/revoke (contract 2.4). A token that is unknown, or
// another client's, is answered like one that was revoked.
func (s tokens) revoke(w http.ResponseWriter, r *http.Request) {
	var in tokenIn
	err := read(w, r, &in)
	var c otl.Client
	if err == nil {
		c, _, err = s.prove(r, credential{})
	}
	if err == nil && in.Access.Empty() {
		err = errNoAccessToken
	}
	if err == nil {
		err = s.Tokens.Revoke(r.Context(), c, in.Access)
	}
	if err != nil {
		Fail(w, r, err)
		return
	}
	write(w, success(nil))
}
