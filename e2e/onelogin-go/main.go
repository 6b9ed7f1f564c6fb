// Command onelogin-go calls OneLogin's wire with the vendor's own Go SDK, as its
// documentation does: in the order of its calls, and with its own types.
//
// Usage: onelogin-go DEV.ENV. The environment holds what the SDK reads. It prints "ok" in
// the end.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/onelogin/onelogin-go-sdk/v4/pkg/onelogin"
	"github.com/onelogin/onelogin-go-sdk/v4/pkg/onelogin/models"
)

type object = map[string]any

func main() {
	log.SetOutput(io.Discard) // the SDK tells of every step
	raw, err := os.ReadFile(os.Args[1])
	must(err)
	env := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = strings.Trim(value, "'")
	}
	sdk, err := onelogin.NewOneloginSDK()
	must(err)
	signIn(sdk, env)
	people(sdk, env)
	fmt.Println("ok")
}

// signIn is the order of contract 4.4: token, login/auth, verify_factor.
func signIn(sdk *onelogin.OneloginSDK, env map[string]string) {
	attempt := func(email, password string) models.CreateSessionLoginRequest {
		return models.CreateSessionLoginRequest{UsernameOrEmail: email, Password: password, Subdomain: env["OTL_SUBDOMAIN"]}
	}
	in := one(sdk.CreateSessionLoginToken(attempt(env["OTL_USER_EMAIL"], env["OTL_USER_PASSWORD"])))
	expect(in["status"] == "Authenticated" && in["user"].(object)["email"] == env["OTL_USER_EMAIL"], in)
	for range 3 { // each is a 401, a new token and an empty body
		_, err := sdk.CreateSessionLoginToken(attempt(env["OTL_USER_EMAIL"], "wrong-horse-7"))
		expect(err != nil, "a wrong password")
	}
	in = one(sdk.CreateSessionLoginToken(attempt(env["OTL_USER_EMAIL"], env["OTL_USER_PASSWORD"])))
	expect(in["status"] == "Authenticated", in)

	step := one(sdk.CreateSessionLoginToken(attempt(env["OTL_MFA_EMAIL"], env["OTL_MFA_PASSWORD"])))
	devices, _ := step["devices"].([]any)
	expect(len(devices) == 2, step)
	app := strconv.Itoa(number(devices[0].(object)["device_id"]))
	proof := models.VerifyFactorRequest{DeviceID: app, StateToken: step["state_token"].(string), OtpToken: "000000"}
	_, err := sdk.VerifyFactor(proof)
	expect(err != nil, "a wrong code")
	proof.OtpToken = totp(env["OTL_MFA_TOTP_SECRET"])
	in = one(sdk.VerifyFactor(proof))
	expect(in["status"] == "Authenticated", in)

	user := number(in["user"].(object)["id"])
	enrolled := list(sdk.GetEnrolledFactor(user))
	expect(len(enrolled) == 2 && enrolled[0].(object)["device_id"] == app, enrolled)
	asked := dict(sdk.ActivateMFAFactor(user, models.ActivateFactorRequest{DeviceID: number(devices[0].(object)["device_id"]), ExpiresIn: 300}))
	expect(asked["auth_factor_name"] == "Google Authenticator" && len(asked["id"].(string)) == 36, asked)
	_, err = sdk.GenerateMFAToken(user, models.GenerateMFATokenRequest{})
	expect(err != nil && strings.Contains(err.Error(), "403"), err)
}

// people are the calls about people of the site's own.
func people(sdk *onelogin.OneloginSDK, env map[string]string) {
	found := list(sdk.GetUsers(&models.UserQuery{Email: ptr(env["OTL_USER_EMAIL"])}))
	expect(len(found) == 1, found)
	jane := number(found[0].(object)["id"])
	made := dict(sdk.CreateUser(models.User{Email: "gosdk@dev.test", Firstname: "G", Lastname: "O", CustomAttributes: object{"badge": "7"}}))
	id := number(made["id"])
	made = dict(sdk.UpdateUser(id, models.User{Firstname: "Gopher"}))
	expect(made["firstname"] == "Gopher" && made["lastname"] == "O" && made["custom_attributes"].(object)["badge"] == "7", made)
	dict(sdk.SetCustomAttributes(id, object{"custom_attributes": object{"badge": "8"}}))
	made = dict(sdk.GetUserByID(id, nil))
	expect(made["custom_attributes"].(object)["badge"] == "8", made)
	names := list(sdk.GetCustomAttributes())
	expect(len(names) == 1 && names[0].(object)["shortname"] == "badge", names)
	desk := dict(sdk.CreateCustomAttribute("Desk", "desk"))
	expect(desk["name"] == "Desk" && desk["shortname"] == "desk", desk)
	expect(dict(sdk.UpdateCustomAttribute(number(desk["id"]), "Table", "desk"))["name"] == "Table", desk)
	expect(dict(sdk.GetCustomAttributeByID(number(desk["id"])))["name"] == "Table", desk)
	dict(sdk.DeleteCustomAttributes(number(desk["id"])))
	made = dict(sdk.UpdateUser(id, models.User{Company: "Dev", Samaccountname: "gosdk", GroupID: 8, RoleIDs: []int32{}}))
	expect(made["company"] == "Dev" && number(made["group_id"]) == 8, made)
	found = list(sdk.GetUsers(&models.UserQuery{Samaccountname: ptr("go*"), GroupID: ptr("8")}))
	expect(len(found) == 1 && number(found[0].(object)["id"]) == id, found)
	expect(len(list(sdk.GetUsers(&models.UserQuery{RoleIDs: &[]int32{7}}))) == 0 && len(list(sdk.GetRoles(&models.Role{}))) == 0, "people with a role")

	sum := sha256.Sum256([]byte("s4lt" + "correct-horse-9"))
	digest := hex.EncodeToString(sum[:])
	dict(sdk.UpdatePasswordSecure(id, object{"password": digest, "password_confirmation": digest, "password_algorithm": "salt+sha256", "password_salt": "s4lt"}))
	attempt := models.CreateSessionLoginRequest{UsernameOrEmail: "gosdk@dev.test", Password: "correct-horse-9", Subdomain: env["OTL_SUBDOMAIN"]}
	expect(one(sdk.CreateSessionLoginToken(attempt))["status"] == "Authenticated", "a password by salt")
	dict(sdk.LockUserAccount(id, object{"locked_until": 5}))
	_, err := sdk.CreateSessionLoginToken(attempt)
	expect(err != nil, "somebody who is locked out")
	dict(sdk.SetUserState(id, object{"state": 1}))
	expect(one(sdk.CreateSessionLoginToken(attempt))["status"] == "Authenticated", "let in again")
	dict(sdk.LogOutUser(id))

	started := dict(sdk.EnrollMFAFactor(models.EnrollFactorRequest{FactorID: 1, DisplayName: "app", ExpiresIn: "300"}, id))
	registration := started["id"].(string)
	expect(dict(sdk.VerifyMFAEnrollmentGet(id, registration))["status"] == "pending", "a registration")
	code, err := strconv.Atoi(totp(started["factor_data"].(object)["verification_token"].(string)))
	must(err)
	expect(dict(sdk.VerifyMFAEnrollment(id, registration, models.VerifyEnrollmentFactorRequest{OTP: code}))["status"] == "accepted", "its code")
	stand := dict(sdk.GenerateMFAToken(id, models.GenerateMFATokenRequest{ExpiresIn: 120, Reusable: true}))
	expect(len(stand["mfa_token"].(string)) == 40 && stand["reusable"] == true, stand)

	link, err := sdk.GenerateInviteLink(models.Invite{Email: "gosdk@dev.test"})
	must(err)
	expect(strings.Contains(fmt.Sprint(link), "/password/reset?token="), link)
	_, err = sdk.GenerateInviteLink(models.Invite{Email: env["OTL_USER_EMAIL"]})
	expect(err != nil && strings.Contains(err.Error(), "403"), err)
	_, err = sdk.UpdatePasswordInsecure(jane, object{"password": "staple-battery-8", "password_confirmation": "staple-battery-8"})
	expect(err != nil && strings.Contains(err.Error(), "403"), err)
	dict(sdk.DeleteUser(id))
	_, err = sdk.GetUserByID(id, nil)
	expect(err != nil && strings.Contains(err.Error(), "404"), err)
	rate := dict(sdk.GetRateLimit())
	expect(number(rate["data"].(object)["X-RateLimit-Limit"]) > 0, rate)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(right bool, got any) {
	if !right {
		panic(fmt.Sprint("unexpected: ", got))
	}
}

func dict(v any, err error) object {
	must(err)
	return v.(object)
}

func list(v any, err error) []any {
	must(err)
	return v.([]any)
}

// one gives the one thing in an answer of version 1.
func one(v any, err error) object {
	data, _ := dict(v, err)["data"].([]any)
	expect(len(data) == 1, v)
	return data[0].(object)
}

func number(v any) int { return int(v.(float64)) }

func ptr[T any](v T) *T { return &v }

// totp gives the code of RFC 6238 of this moment.
func totp(seed string) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(seed, "="))
	must(err)
	mac := hmac.New(sha1.New, key)
	must(binary.Write(mac, binary.BigEndian, time.Now().Unix()/30))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1000000)
}
