package native

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// hosted is the operation at the end of a visit to the hosted pages (contract 1.12).
type hosted struct{ *Surface }

type exchangeIn struct {
	Code        hidden `json:"code" doc:"The parameter of that name at the callback URL."`
	Verifier    hidden `json:"code_verifier" doc:"What the code_challenge is the SHA-256 of: 43 to 128 characters (RFC 7636)."`
	RedirectURI string `json:"redirect_uri,omitempty" maxLength:"2048" doc:"Where given, it must be the one of the request, to the letter."`
}

func (s hosted) exchange(c *call, in *exchangeIn) (*loginOut, error) {
	e, err := s.Flows.Exchange(c.ctx, signin.Exchange{Site: c.site, Code: in.Code.Text, Verifier: in.Verifier.Reveal(), Redirect: in.RedirectURI})
	if err != nil {
		return nil, err
	}
	return newLoginOut(e.Tokens), nil
}

func (s hosted) routes() {
	route(s.Surface, operation{
		id: "exchangeCode", method: http.MethodPost, path: "/auth/token", tag: tagAuth,
		summary: "Sign in with the code of the hosted pages",
		text: "Exchanges the code that a visit to /authorize brought to the callback URL, within a minute and once. A code that is presented again " +
			"ends the session it opened: two parties hold it.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401},
		request: map[string]any{"code": "otl_ac_2f8Kq0…", "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}, answer: sampleLogin(),
	}, s.exchange)
}
