package oidc

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/wire"
)

// device is POST /oidc/device_authorization: a device without a browser begins to wait to
// be let in elsewhere (RFC 8628 section 3.1).
func (s *Surface) device(w http.ResponseWriter, r *http.Request) {
	c, of, ok := s.client(w, r)
	if !ok {
		return
	}
	scope := scopes(r.PostForm.Get("scope"))
	switch {
	case !c.Device || !c.Scopes.Has(otl.ScopeAuth):
		refuse(w, r, http.StatusBadRequest, "unauthorized_client", "This client was not made for devices.", nil)
		return
	case !slices.Contains(scope, "openid"):
		refuse(w, r, http.StatusBadRequest, "invalid_scope", "scope must hold openid.", nil)
		return
	}
	shown, err := signin.Devices{Flows: s.Flows}.Begin(r.Context(), of, c.ID, strings.Join(scope, " "))
	if err != nil {
		Fail(w, r, err)
		return
	}
	at := s.URL + "/device"
	wire.JSON(w, http.StatusOK, map[string]any{
		"device_code": shown.Device.Reveal(), "user_code": shown.User, "verification_uri": at, "verification_uri_complete": at + "?user_code=" + url.QueryEscape(shown.User),
		"expires_in": int(signin.DeviceTTL.Seconds()), "interval": signin.DevicePause,
	})
}
