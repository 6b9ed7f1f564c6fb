package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// remote calls a server as a site does, with its key. It is a client like any other:
// what it can do, every program of a site can.
type remote struct {
	base   string // without a slash at its end
	key    secret.Text
	client *egress.Client
}

const (
	remoteTimeout = 30 * time.Second
	maxRemote     = 16 << 20 // bytes of an answer
)

// remote reads OTL_URL and OTL_SITE_KEY.
func (a *app) remote() (*remote, error) {
	r := &remote{base: strings.TrimSuffix(a.getenv("OTL_URL"), "/"), key: secret.NewText(a.getenv("OTL_SITE_KEY"))}
	if r.base == "" {
		r.base = defaultURL
	}
	if file := a.getenv("OTL_SITE_KEY_FILE"); file != "" && r.key.Empty() {
		raw, err := config.ReadSecretFile(file)
		if err != nil {
			return nil, err
		}
		r.key = secret.NewText(strings.TrimSpace(string(raw)))
	}
	u, err := url.Parse(r.base)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, usageError{errors.New("OTL_URL must be the address of a server, such as https://id.example.com"), ""}
	case u.Scheme == "http" && !otl.Loopback(u.Hostname()):
		return nil, usageError{errors.New("OTL_URL must be https: a site key is not sent in the clear"), ""}
	case r.key.Empty():
		return nil, &otl.Error{Kind: otl.Unauthenticated, Code: "site_key_missing", Text: "OTL_SITE_KEY is not in the environment: set -a; source .otl/dev.env; set +a, or take the key from your secret manager"}
	}
	r.client = newCaller(false)
	return r, nil
}

// newCaller makes a client for addresses that whoever runs the command named.
func newCaller(skipVerify bool) *egress.Client {
	p := egress.Policy{Trusted: true, Timeout: remoteTimeout, Most: maxRemote}
	if skipVerify {
		p.Roots = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // asked for with --skip-verify, for a receiver on the own machine
	}
	return egress.New(p)
}

// unreachable is a server that gives no answer.
type unreachable struct{ base, problem string }

// Error says which server.
func (e unreachable) Error() string { return "cannot reach " + e.base + ": " + e.problem }

// mend says what to try: who answers with another certificate is there.
func (e unreachable) mend() string {
	if e.problem == egress.ProblemCertificate {
		return "SSL_CERT_FILE=ca.pem, a file of the certificates to believe, or set OTL_URL to the name the certificate is for"
	}
	return "start the server, or set OTL_URL to where it is"
}

// call makes one call below /api/v1 and reads the answer into out, unless that is nil.
// What the server refuses is an *otl.Error with the kind that its status stands for.
func (r *remote) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	head := http.Header{"X-Otl-Site-Key": {r.key.Reveal()}, "Accept": {"application/json"}, "User-Agent": {"otl/" + version()}}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		head.Set("Content-Type", "application/json")
	}
	address := r.base + "/api/v1" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	a, err := r.client.Do(ctx, method, address, head, body)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return unreachable{r.base, egress.Problem(err)}
	case a.Status/100 != 2:
		return refusal(a)
	case out == nil:
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(a.Body))
	dec.UseNumber() // what it holds is sent on as it is
	if err := dec.Decode(out); err != nil {
		return fmt.Errorf("%s answers something else than this API: %w", r.base, err)
	}
	return nil
}

// refusal is the error an answer stands for.
func refusal(a egress.Answer) error {
	var body struct {
		Detail, Code string
		RequestID    string `json:"request_id"`
	}
	if json.Unmarshal(a.Body, &body) != nil || body.Detail == "" {
		return fmt.Errorf("the server answers %d", a.Status)
	}
	kind := otl.Internal
	switch a.Status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType:
		kind = otl.Malformed
	case http.StatusUnauthorized:
		kind = otl.Unauthenticated
	case http.StatusForbidden:
		kind = otl.Forbidden
	case http.StatusNotFound:
		kind = otl.NotFound
	case http.StatusConflict:
		kind = otl.Conflict
	case http.StatusUnprocessableEntity:
		kind = otl.Invalid
	case http.StatusServiceUnavailable:
		kind = otl.Unavailable
	}
	return &otl.Error{Kind: kind, Code: body.Code, Text: body.Detail + " (request " + body.RequestID + ")"}
}

// onRemote runs an action on a server.
func (a *app) onRemote(c *cobra.Command, do func(context.Context, *remote) error) error {
	r, err := a.remote()
	if err != nil {
		return err
	}
	defer r.client.Close()
	return do(c.Context(), r)
}

// show prints an answer as it came with --json, else as text.
func show[T any](a *app, c *cobra.Command, method, path string, query url.Values, in any, text func(T)) error {
	return a.onRemote(c, func(ctx context.Context, r *remote) error {
		var raw json.RawMessage
		if err := r.call(ctx, method, path, query, in, &raw); err != nil {
			return err
		}
		if a.json {
			return a.print(raw, nil)
		}
		var out T
		if err := json.Unmarshal(raw, &out); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		text(out)
		return nil
	})
}

// segment makes an id that was typed a part of a path.
func segment(id string) string { return url.PathEscape(id) }
