package transmit

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// kinds are those of errors by the names they have in the source.
var kinds = map[string]otl.Kind{
	"Malformed": otl.Malformed, "Invalid": otl.Invalid, "Unauthenticated": otl.Unauthenticated, "Forbidden": otl.Forbidden,
	"NotFound": otl.NotFound, "Conflict": otl.Conflict, "Limited": otl.Limited, "Unavailable": otl.Unavailable, "Internal": otl.Internal,
}

// written gives every error that is written down in the rules a call of this wire leads to.
func written(t *testing.T) (all []*otl.Error) {
	t.Helper()
	for _, room := range []string{"otl", "limit", "factor", "session", "signin", "account", "site"} {
		files, err := filepath.Glob(filepath.Join("..", "..", room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.CompositeLit); ok {
					if e := literal(lit); e.Code != "" && e.Kind != 0 {
						all = append(all, e)
					}
				}
				return true
			})
		}
	}
	return all
}

// literal reads an error as it is written.
func literal(lit *ast.CompositeLit) *otl.Error {
	e := &otl.Error{Text: "text"}
	for _, one := range lit.Elts {
		kv, ok := one.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch key, _ := kv.Key.(*ast.Ident); {
		case key == nil:
		case key.Name == "Kind":
			switch k := kv.Value.(type) {
			case *ast.SelectorExpr:
				e.Kind = kinds[k.Sel.Name]
			case *ast.Ident:
				e.Kind = kinds[k.Name]
			}
		case key.Name == "Code":
			if b, ok := kv.Value.(*ast.BasicLit); ok {
				e.Code, _ = strconv.Unquote(b.Value)
			}
		}
	}
	return e
}

// answered gives what a call answers to an error.
func answered(t *testing.T, write func(http.ResponseWriter, *http.Request, error), err error) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	write(w, r.WithContext(otl.WithRequest(r.Context(), &otl.Request{})), err)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["message"] == nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return w.Code, body
}

// TestNoErrorHasAWordTheContractDoesNotKnow: whatever the rules refuse, clients of the
// vendor are answered by what they know (contract 3.3 to 3.8); of our own are 401 for a
// token that is none, 429 and what is wrong with the server.
func TestNoErrorHasAWordTheContractDoesNotKnow(t *testing.T) {
	t.Parallel()
	words := map[int][]string{
		400: {"system_invalid_input", "external_provider_configuration_error", "auth_invalid_credentials", "auth_otp_passcode_expired"},
		403: {"user_not_active", "auth_login_preferences_missing", "auth_locked"},
		404: {"user_not_found", "user_email_address_missing", "user_phone_number_missing"},
	}
	all := written(t)
	if len(all) < 70 {
		t.Fatalf("only %d errors are found", len(all))
	}
	for _, e := range all {
		if e.Code == otl.ErrToken.Code || e.Code == otl.ErrTokenMissing.Code || e.Kind == otl.Limited || e.Kind == otl.Unavailable || e.Kind == otl.Internal {
			continue
		}
		pair := func(s shape) func(http.ResponseWriter, *http.Request, error) {
			return func(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, s, err) }
		}
		code, body := answered(t, pair(otpShape), e)
		if word, _ := body["error_code"].(string); !slices.Contains(words[code], word) {
			t.Errorf("%s: the OTP pair answers %d %v", e.Code, code, body)
		}
		if code, body = answered(t, pair(linkShape), e); !slices.Contains([]int{400, 403, 404}, code) || body["error_code"] != strconv.Itoa(code) {
			t.Errorf("%s: the link pair answers %d %v", e.Code, code, body)
		}
		if code, body = answered(t, failFront, e); code != 400 && (code != 404 || body["message"] != "User not found") || body["error_code"] != float64(code) {
			t.Errorf("%s: the calls of browsers answer %d %v", e.Code, code, body)
		}
	}
}

// TestWordsOfTheCodes are those of errors that are not told by their kind.
func TestWordsOfTheCodes(t *testing.T) {
	t.Parallel()
	closed := limit.Exceeded(time.Hour).Because(limit.ErrClosed)
	for _, c := range []struct {
		err    error
		otp    string // status and word
		link   string // status and text
		status int    // of calls of browsers
	}{
		{otl.NoSuch("user"), "404 user_not_found", "404 User not found", 404},
		{signin.ErrNoAddress, "404 user_email_address_missing", "404 User not found", 404},
		{signin.ErrNoPhone, "404 user_phone_number_missing", "404 User not found", 404},
		{signin.ErrDisabled, "403 user_not_active", "403 User is not active", 400},
		{signin.ErrNoDirect, "403 auth_login_preferences_missing", "403 " + signin.ErrNoDirect.Text, 400},
		{signin.ErrSecondStep, "403 auth_login_preferences_missing", "403 " + signin.ErrSecondStep.Text, 400},
		{signin.ErrHeld, "403 auth_login_preferences_missing", "403 " + signin.ErrHeld.Text, 400},
		{signin.ErrUnproven, "403 auth_login_preferences_missing", "403 " + signin.ErrUnproven.Text, 400},
		{limit.ErrNumber, "400 external_provider_configuration_error", "403 " + limit.ErrNumber.Text, 400},
		{limit.ErrStopped, "400 external_provider_configuration_error", "403 " + limit.ErrStopped.Text, 400},
		{signin.ErrCode, "400 auth_invalid_credentials", "403 " + signin.ErrCode.Text, 400},
		{signin.ErrCodeExpired, "400 auth_otp_passcode_expired", "403 " + signin.ErrCodeExpired.Text, 400},
		{signin.ErrCodeLocked, "403 auth_locked", "403 " + signin.ErrCodeLocked.Text, 400},
		{signin.ErrLink, "403 auth_login_preferences_missing", "400 Invalid magic link code", 400},
		{errSession, "400 system_invalid_input", "400 Session not found", 404},
		{errRedirect, "400 system_invalid_input", "400 " + errRedirect.Text, 400},
		{closed, "403 auth_locked", "429 " + closed.Text, 429},
		{limit.Exceeded(time.Second), "429 rate_limited", "429 " + closed.Text, 429},
	} {
		otp := func(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, otpShape, err) }
		link := func(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, linkShape, err) }
		code, body := answered(t, otp, c.err)
		if got := strconv.Itoa(code) + " " + body["error_code"].(string); got != c.otp {
			t.Errorf("%v: %s, want %s", c.err, got, c.otp)
		}
		code, body = answered(t, link, c.err)
		if got := strconv.Itoa(code) + " " + body["message"].(string); got != c.link {
			t.Errorf("%v: %s, want %s", c.err, got, c.link)
		}
		if code, _ = answered(t, failFront, c.err); code != c.status {
			t.Errorf("%v: a call of a browser answers %d, want %d", c.err, code, c.status)
		}
	}
}
