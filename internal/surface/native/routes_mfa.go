package native

import (
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

func sampleOffer() OfferOut {
	return OfferOut{sampleFactor, "sms_otp", "Telephone", "•••• 42", false}
}

func (s mfa) routes() {
	route(s.Surface, operation{
		id: "verifyFactor", method: http.MethodPost, path: "/auth/mfa/verify", tag: tagAuth,
		summary: "Finish a sign-in with a second factor",
		text: "Opens the session that a 401 mfa_required held back. The token of that answer survives wrong codes up to five, and lives for five minutes. " +
			"With an access token in its place, the present session is raised: the new tokens have the method in amr and the moment in auth_time. " +
			"A code is good once; a hundred wrong ones in a row, in whatever sign-ins, close codes to the person until a recovery code or a passkey.",
		access: bySiteFor, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401, 404},
		request: map[string]any{"mfa_token": "otl_mt_2f8Kq0…", "code": "482917"}, answer: sampleLogin(),
	}, s.verify)
	route(s.Surface, operation{
		id: "challengeFactor", method: http.MethodPost, path: "/auth/mfa/challenge", tag: tagAuth,
		summary: "Send the code of a second factor",
		text: "Sends a code by SMS or mail for the sign-in of the token, or for the session of the access token; a later one takes the place of the one before. " +
			"At most three in ten minutes to one person.",
		access: bySiteFor, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401, 404},
		request: map[string]any{"mfa_token": "otl_mt_2f8Kq0…", "factor_id": sampleFactor},
		answer:  challengedOut{Sent: true, ExpiresIn: 287, Factor: sampleOffer()},
	}, s.challenge)
}

func (s factors) routes() {
	one := FactorOut{OfferOut: sampleOffer(), CreatedAt: sampleTime()}
	route(s.Surface, operation{
		id: "listFactors", method: http.MethodGet, path: "/auth/mfa", tag: tagAuth,
		summary: "List one's own second factors", text: "The default comes first.",
		access: byPerson, success: http.StatusOK, answer: factorsOut{Data: []FactorOut{one}, CodesLeft: 10},
	}, s.list)
	route(s.Surface, operation{
		id: "enrolFactor", method: http.MethodPost, path: "/auth/mfa/enroll", tag: tagAuth,
		summary: "Begin to set up a second factor",
		text: "Gives the secret of an authenticator app, or sends a code by SMS or mail. The factor is none until it is confirmed, within 15 minutes. " +
			"Needs a first-party access token of a sign-in of the last 15 minutes, with two factors where the person has one.",
		access: byHimself, success: http.StatusOK, errors: []int{401, 409},
		request: map[string]any{"kind": "totp", "label": "My phone"},
		answer: enrolledOut{
			ID: sampleFactor, Kind: "totp", Label: "My phone", Secret: ptr(text("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")),
			URL:       ptr(text("otpauth://totp/id.example.com:user@example.com?issuer=id.example.com&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")),
			ExpiresAt: sampleTime(),
		},
	}, s.enrol)
	route(s.Surface, operation{
		id: "confirmFactor", method: http.MethodPost, path: "/auth/mfa/confirm", tag: tagAuth,
		summary: "Finish setting up a second factor",
		text:    "From the answer on every sign-in asks for it. The person is told by mail, and his access tokens are void: refresh.",
		access:  byHimself, success: http.StatusOK, errors: []int{401, 404},
		request: map[string]any{"factor_id": sampleFactor, "code": "482917"},
		answer:  confirmedOut{sampleFactor, []shown{text("mfrg-gzdf-mzwq2")}, 8},
	}, s.confirm)
	route(s.Surface, operation{
		id: "changeFactor", method: http.MethodPatch, path: "/auth/mfa/{id}", tag: tagAuth,
		summary: "Rename a second factor, or offer it first", text: "Sets the members given.",
		access: byHimself, success: http.StatusOK, errors: []int{404},
		request: map[string]any{"label": "Old phone", "default": true}, answer: one,
	}, s.change)
	route(s.Surface, operation{
		id: "deleteFactor", method: http.MethodDelete, path: "/auth/mfa/{id}", tag: tagAuth,
		summary: "Remove a second factor",
		text:    "Trusted devices are forgotten; with the last factor go the recovery codes. The person is told by mail, and his access tokens are void: refresh.",
		access:  byHimself, success: http.StatusOK, errors: []int{401, 404}, answer: removedFactorOut{true, 9},
	}, s.remove)
	route(s.Surface, operation{
		id: "newRecoveryCodes", method: http.MethodPost, path: "/auth/mfa/recovery-codes", tag: tagAuth,
		summary: "Make new recovery codes", text: "Those before are void. The person is told by mail.",
		access: byHimself, success: http.StatusOK, errors: []int{401, 409}, answer: recoveryCodesOut{[]shown{text("mfrg-gzdf-mzwq2")}, 9},
	}, s.newCodes)
	route(s.Surface, operation{
		id: "listTrustedDevices", method: http.MethodGet, path: "/auth/mfa/devices", tag: tagAuth,
		summary: "List the devices one trusts",
		text: "Those that are let in without a second step, the latest first. With a first-party access token wherever they are trusted; with the access token of a site, there. " +
			"The device_token is shown to nobody again.",
		access: byPerson, success: http.StatusOK,
		answer: devicesOut{Data: []deviceOut{{ID: sampleDevice, SiteID: ptr(sampleSite), Device: "Firefox on Linux", CreatedAt: sampleTime(), ExpiresAt: sampleTime().Add(otl.DefaultTrustDays * 24 * time.Hour)}}},
	}, s.devices)
	route(s.Surface, operation{
		id: "forgetTrustedDevice", method: http.MethodDelete, path: "/auth/mfa/devices/{id}", tag: tagAuth,
		summary: "Trust a device no more", text: "From the next sign-in there on it takes a second step again.",
		access: byHimself, success: http.StatusOK, errors: []int{404}, answer: deletedOut{true},
	}, s.forget)
}
