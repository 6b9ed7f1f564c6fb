package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/wire"
)

// Door lets programs of sites in.
type Door struct {
	Clients *site.Clients
	Proofs  session.Proofs
	URL     string // of the installation, without a slash at the end

	Pace   *limit.Pace   // of clients that prove themselves
	Limits *limit.Limits // of those that do not
}

func unclear(text string) *otl.Error {
	return &otl.Error{Kind: otl.Malformed, Code: "invalid_request", Text: text}
}

// Form reads the parameters of a request, those of its body only from a form. The error is of
// the kind otl.Malformed, also where the body is said to be anything else (RFC 6749 appendix B),
// wire.TooLarge for a body longer than limit bytes.
func Form(w http.ResponseWriter, r *http.Request, limit int64) error {
	noForm := unclear("Send the parameters as " + wire.MediaForm + ".")
	if r.ContentLength != 0 && !wire.Sends(r, wire.MediaForm) {
		return noForm
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	err := r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return wire.TooLarge(limit)
	case err != nil:
		return noForm.Because(err)
	}
	return nil
}

// Client gives the client that made a request whose form was parsed, with its site: it
// proves itself by Basic, by a secret in the form, by an assertion it signed, or is
// public and only says who it is. The error is site.ErrClient, or of the kind
// otl.Malformed where a parameter stands twice or the client proves itself in two ways.
func (d Door) Client(r *http.Request) (otl.Client, otl.Site, error) {
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return otl.Client{}, otl.Site{}, unclear("A parameter stands twice: " + strconv.QuoteToASCII(name))
		}
	}
	p := site.Proof{ID: r.PostForm.Get("client_id"), Secret: secret.NewText(r.PostForm.Get("client_secret")), Assertion: secret.NewText(r.PostForm.Get("client_assertion"))}
	user, pass, basic := r.BasicAuth()
	ways := 0
	for _, used := range []bool{basic, r.PostForm.Has("client_secret"), r.PostForm.Has("client_assertion")} {
		if used {
			ways++
		}
	}
	switch {
	case ways > 1:
		return otl.Client{}, otl.Site{}, unclear("Prove the client in one way: by Basic, in the form, or by an assertion.")
	case r.PostForm.Has("client_assertion_type") && r.PostForm.Get("client_assertion_type") != site.AssertionType, !p.Assertion.Empty() && !r.PostForm.Has("client_assertion_type"):
		return otl.Client{}, otl.Site{}, unclear("client_assertion_type must be " + site.AssertionType + ".")
	case ways == 1 && !basic && p.Secret.Empty() && p.Assertion.Empty():
		return otl.Client{}, otl.Site{}, site.ErrClient // an empty one is one, and wrong
	}
	if basic {
		id, err := url.QueryUnescape(user)
		if err != nil || p.ID != "" && p.ID != id {
			return otl.Client{}, otl.Site{}, unclear("client_id differs from the one in Authorization, or that is not form-encoded.")
		}
		plain, err := url.QueryUnescape(pass)
		if err != nil || plain == "" {
			return otl.Client{}, otl.Site{}, site.ErrClient
		}
		p.ID, p.Secret = id, secret.NewText(plain)
	}
	c, of, err := d.Clients.Prove(r.Context(), p)
	if err != nil {
		return otl.Client{}, otl.Site{}, err
	}
	req := otl.RequestOf(r.Context())
	req.SiteID, req.SiteKeyID, req.By = of.ID, c.ID, otl.Actor{Kind: otl.ActorClient, ID: c.ID}
	return c, of, d.pace(r.Context(), c)
}

// pace counts a request by its client; by where it comes from too where anybody can say
// to be it, or one could use up what is there for all.
func (d Door) pace(ctx context.Context, c otl.Client) error {
	if c.Auth != otl.AuthNone {
		return d.Pace.Take(ctx, c.ID)
	}
	return d.Limits.Take(ctx, limit.Use{Rate: limit.Public, By: []string{c.ID, limit.Network(otl.RequestOf(ctx).Client)}})
}

// Key gives the thumbprint of the key that a request of a client proves to hold, "" where it
// proves none. Access is the access token that comes along, if any. The error is
// session.ErrProof.
func (d Door) Key(r *http.Request, c otl.Client, access secret.Text) (string, error) {
	proofs := r.Header.Values("DPoP")
	if len(proofs) == 0 {
		return "", nil
	}
	if len(proofs) > 1 {
		return "", session.ErrProof
	}
	return d.Proofs.Check(r.Context(), session.Request{Proof: secret.NewText(proofs[0]), Method: r.Method, URL: d.URL + r.URL.EscapedPath(), Access: access, FAPI: c.FAPI})
}

// Bearer gives the access token of a request and whether it comes as one that is bound to
// a key: in the header, or in the form of a POST (RFC 6750 section 2), never in the
// address.
func Bearer(r *http.Request) (access secret.Text, bound bool) {
	scheme, raw, _ := strings.Cut(strings.Join(r.Header.Values("Authorization"), ", "), " ")
	if bound = strings.EqualFold(scheme, "DPoP"); bound || strings.EqualFold(scheme, "Bearer") {
		return secret.NewText(strings.Trim(raw, " ")), bound
	}
	if len(r.PostForm["access_token"]) != 1 {
		return secret.Text{}, false
	}
	return secret.NewText(r.PostForm.Get("access_token")), false
}
