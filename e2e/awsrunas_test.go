package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// awsrunas calls as that program does, with one jar of cookies.
type awsrunas struct {
	*testing.T
	http *http.Client
	url  string
}

// call sends JSON and reads what a 200 holds; it gives the status and the answer.
func (a awsrunas) call(method, path, authorization string, body, out any) (int, string) {
	a.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		a.Fatal(err)
	}
	req, err := http.NewRequestWithContext(a.Context(), method, a.url+path, bytes.NewReader(raw))
	if err != nil {
		a.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := a.http.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		a.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, out); err != nil {
			a.Fatalf("%s: %v", answer, err)
		}
	}
	return res.StatusCode, string(answer)
}

// form presents a session token and follows where that leads, which is to end in a 200.
func (a awsrunas) form(token string) {
	a.Helper()
	res, err := a.http.PostForm(a.url+"/session_via_api_token", url.Values{"session_token": {token}})
	if err != nil {
		a.Fatal(err)
	}
	defer res.Body.Close()
	if page, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || res.Request.URL.Path != "/account" || !strings.Contains(string(page), "/signout") {
		a.Errorf("%d %s %v", res.StatusCode, res.Request.URL, err)
	}
}

// TestContract44_AWSRunasOrder goes the way of aws-runas, a program that signs people in on
// a command line, against the built server: a token by Basic, login/auth, the devices of
// version 2 of which it takes the default, the path of the callback URL at the host it knows
// until a code is right, the form, and its redirects with the cookies to a 200.
func TestContract44_AWSRunasOrder(t *testing.T) {
	t.Parallel()
	vars := newWorld(t).vars
	seed, err := secret.ParseTOTPSeed(vars["OTL_MFA_TOTP_SECRET"])
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	call := awsrunas{t, c, vars["OTL_URL"]}.call
	var token struct {
		Access    string `json:"access_token"`
		Type      string `json:"token_type"`
		ExpiresIn int    `json:"expires_in"`
		AccountID int    `json:"account_id"`
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(vars["OTL_CLIENT_ID"]+":"+vars["OTL_CLIENT_SECRET"]))
	if code, answer := call(http.MethodPost, "/auth/oauth2/v2/token", basic, map[string]string{"grant_type": "client_credentials"}, &token); code != http.StatusOK {
		t.Fatalf("%d %s", code, answer)
	}
	authorization := token.Type + " " + token.Access
	var login struct {
		Status struct{ Message string }
		Data   []struct {
			State    string `json:"state_token"`
			Callback string `json:"callback_url"`
			User     struct{ ID int }
		}
	}
	call(http.MethodPost, "/api/1/login/auth", authorization, map[string]string{"username_or_email": vars["OTL_MFA_EMAIL"], "password": vars["OTL_MFA_PASSWORD"], "subdomain": vars["OTL_SUBDOMAIN"]}, &login)
	if login.Status.Message != "MFA is required for this user" || len(login.Data) != 1 {
		t.Fatalf("%+v", login)
	}
	var devices []struct {
		ID      string `json:"device_id"`
		Name    string `json:"auth_factor_name"`
		Default bool
	}
	call(http.MethodGet, fmt.Sprintf("/api/2/mfa/users/%d/devices", login.Data[0].User.ID), authorization, nil, &devices)
	var chosen string
	for _, d := range devices {
		if d.Default && d.Name == "Google Authenticator" {
			chosen = d.ID
		}
	}
	callback, err := url.Parse(login.Data[0].Callback)
	if err != nil || chosen == "" {
		t.Fatalf("%v %+v", err, devices)
	}
	var done struct {
		Data []struct {
			Token string `json:"session_token"`
		}
	}
	for _, code := range []string{"000000", secret.TOTP(seed, time.Now())} {
		status, answer := call(http.MethodPost, callback.RequestURI(), authorization, map[string]any{"app_id": "", "device_id": chosen, "state_token": login.Data[0].State, "otp_token": code}, &done)
		if status != http.StatusOK && !strings.Contains(answer, "Failed authentication with this factor") {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if len(done.Data) != 1 {
		t.Fatalf("%+v", done)
	}
	awsrunas{t, c, vars["OTL_URL"]}.form(done.Data[0].Token)
}

// TestContract44_JavaOrder calls as OneLogin's SDK for Java does, and the older ones for Ruby
// and PHP, against the built server: a token by OneLogin's own form of Authorization; calls
// with bearer and a colon; login/auth, a wrong code and a right one; once the token expired a
// refresh without Authorization, with both tokens; the call again; and the pair revoked. It
// reads errors of 400, 401, 403, 404 and 422 alone.
func TestContract44_JavaOrder(t *testing.T) {
	t.Parallel()
	vars := newWorld(t).vars
	seed, err := secret.ParseTOTPSeed(vars["OTL_MFA_TOTP_SECRET"])
	if err != nil {
		t.Fatal(err)
	}
	call := awsrunas{t, &http.Client{Timeout: 30 * time.Second}, vars["OTL_URL"]}.call
	client := "client_id:" + vars["OTL_CLIENT_ID"] + ", client_secret:" + vars["OTL_CLIENT_SECRET"]
	var token, renewed struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if code, answer := call(http.MethodPost, "/auth/oauth2/v2/token", client, map[string]string{"grant_type": "client_credentials"}, &token); code != http.StatusOK || token.Refresh == "" {
		t.Fatalf("%d %s", code, answer)
	}
	var rate struct {
		Data struct {
			Limit     int `json:"X-RateLimit-Limit"`
			Remaining int `json:"X-RateLimit-Remaining"`
			Reset     int `json:"X-RateLimit-Reset"`
		}
	}
	if code, answer := call(http.MethodGet, "/auth/rate_limit", "bearer:"+token.Access, nil, &rate); code != http.StatusOK || rate.Data.Limit == 0 {
		t.Errorf("%d %s", code, answer)
	}
	var login struct {
		Status struct {
			Error   bool
			Code    int
			Type    string
			Message string
		}
		Data []struct {
			State   string `json:"state_token"`
			Token   string `json:"session_token"`
			Devices []struct {
				ID   int    `json:"device_id"`
				Type string `json:"device_type"`
			}
		}
	}
	body := map[string]any{"username_or_email": vars["OTL_MFA_EMAIL"], "password": vars["OTL_MFA_PASSWORD"], "subdomain": vars["OTL_SUBDOMAIN"]}
	if code, answer := call(http.MethodPost, "/api/1/login/auth", "bearer:"+token.Access, body, &login); code != http.StatusOK || login.Status.Message != "MFA is required for this user" {
		t.Fatalf("%d %s", code, answer)
	}
	first := login.Data[0]
	proof := map[string]any{"state_token": first.State}
	for _, d := range first.Devices {
		if d.Type == "Google Authenticator" {
			proof["device_id"] = strconv.Itoa(d.ID) // it sends a text
		}
	}
	proof["otp_token"] = "000000"
	if code, answer := call(http.MethodPost, "/api/1/login/verify_factor", "bearer:"+token.Access, proof, nil); code != http.StatusUnauthorized || !strings.Contains(answer, "Failed authentication with this factor") {
		t.Errorf("%d %s", code, answer)
	}
	proof["otp_token"] = secret.TOTP(seed, time.Now())
	if code, answer := call(http.MethodPost, "/api/1/login/verify_factor", "bearer:"+token.Access, proof, &login); code != http.StatusOK || len(login.Data) != 1 || login.Data[0].Token == "" || login.Status.Type != "success" {
		t.Errorf("%d %s", code, answer)
	}
	pair := map[string]string{"grant_type": "refresh_token", "access_token": token.Access, "refresh_token": token.Refresh}
	if code, answer := call(http.MethodPost, "/auth/oauth2/v2/token", "", pair, &renewed); code != http.StatusOK || renewed.Access == "" || renewed.Access == token.Access {
		t.Fatalf("%d %s", code, answer)
	}
	if code, answer := call(http.MethodPost, "/api/1/login/auth", "bearer:"+renewed.Access, body, &login); code != http.StatusOK {
		t.Errorf("with the new token: %d %s", code, answer)
	}
	if code, answer := call(http.MethodPost, "/auth/oauth2/revoke", client, map[string]string{"access_token": renewed.Access}, &login); code != http.StatusOK {
		t.Errorf("%d %s", code, answer)
	}
	if code, answer := call(http.MethodGet, "/auth/rate_limit", "bearer:"+renewed.Access, nil, nil); code != http.StatusUnauthorized {
		t.Errorf("after the revocation: %d %s", code, answer)
	}
}
