package native

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// Tags group the operations (contract 1.3).
const (
	tagAuth     = "Auth"
	tagUsers    = "Users"
	tagSessions = "Sessions"
	tagSites    = "Sites"
	tagRoles    = "Roles"
	tagStatus   = "Status"
)

// Values the examples are made of.
const (
	sampleUser    = "01HKZ3M5Q8J9X2V7C4B6N1D0FG"
	sampleSite    = "01HKZ2A7R4T6Y8W3E5P9S1K0MH"
	sampleSession = "01HKZ4C9F2G5H8J1L3N6Q7R0ST"
	sampleEmail   = "user@example.com"
	sampleFactor  = "01HKZ5D2E4R6T8Y0U1I3O5P7AS"
	sampleDevice  = "01HKZ5E7G9T1V3X5Z7B0D2F4H6"
)

// routes is every operation of this wire.
func (s *Surface) routes() {
	auth{s}.routes()
	codes{s}.routes()
	hosted{s}.routes()
	mfa{s}.routes()
	factors{s}.routes()
	users{s}.routes()
	consents{s}.routes()
	members{s}.routes()
	roles{s}.routes()
	sessions{s}.routes()
	sites{s}.routes()
	ownedSites{s}.routes()
	clients{s}.routes()
	feed{s}.routes()
	audits{s}.routes()
	webhooks{s}.routes()
	orders{s}.routes()
	health{s}.routes()
}

func (s auth) routes() {
	route(s.Surface, operation{
		id: "login", method: http.MethodPost, path: "/auth/login", tag: tagAuth,
		summary: "Sign in with an e-mail address and a password",
		text: "Checks the password and opens a session at the site of the key. Whether nobody has the address, the person is disabled, " +
			"has no password or another one, the answer is the same 401. The first sign-in at a site grants it email and name. " +
			"Where a second step is due the answer is 401 mfa_required with mfa_token, methods and factors for /auth/mfa/verify; a wrong mfa_code is answered with its own code and the same members.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401, 503},
		request: map[string]any{"email": sampleEmail, "password": "correct-horse-7"}, answer: sampleLogin(),
	}, s.login)
	route(s.Surface, operation{
		id: "register", method: http.MethodPost, path: "/auth/register", tag: tagAuth,
		summary: "Register a person and sign him in",
		text:    "Adds a person to the network, grants the site the fields named, and opens a session. An address that is known is a 409: that person signs in instead.",
		access:  bySite, scope: otl.ScopeAuth, success: http.StatusCreated, errors: []int{409, 503},
		request: map[string]any{"email": sampleEmail, "password": "correct-horse-7", "name": "Jane Doe", "fields": []string{"email", "name"}},
		answer:  sampleLogin(),
	}, s.register)
	route(s.Surface, operation{
		id: "refresh", method: http.MethodPost, path: "/auth/refresh", tag: tagAuth,
		summary: "Exchange a refresh token",
		text: "Gives new tokens and makes the one sent worthless. Sent again within ten seconds, while its successor is unused, it gives the same successor; " +
			"sent later, it ends the session, because two parties hold it.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401},
		request: map[string]any{"refresh_token": "otl_rt_AYzT…"}, answer: sampleLogin(),
	}, s.refresh)
	route(s.Surface, operation{
		id: "logout", method: http.MethodPost, path: "/auth/logout", tag: tagAuth,
		summary: "End a session",
		text: "Ends the session of the access token, or of the refresh token in the body, and raises the person's session version: every access token he holds " +
			"is refused from the next call on. His other sessions go on after a refresh, unless everywhere is true.",
		access: bySiteFor, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401}, optionalBody: true,
		request: map[string]any{"everywhere": false}, answer: revokedOut{true, 8},
	}, s.logout)
	route(s.Surface, operation{
		id: "introspect", method: http.MethodPost, path: "/auth/introspect", tag: tagAuth,
		summary: "Ask whether an access token is good at this moment",
		text:    "Checks the token and that its session still counts. A token of another site, like any other that is not good, is active: false and nothing more.",
		access:  bySite, scope: otl.ScopeAuth, success: http.StatusOK,
		request: map[string]any{"token": "eyJhbGciOiJFUzI1NiIs…"},
		answer: introspectOut{
			Active: true, Subject: sampleUser, Session: sampleSession, SessionVersion: 7, Audience: sampleSite, Issuer: "https://id.example.com",
			Expires: 1767323045, IssuedAt: 1767321245, AuthTime: 1767321245, AMR: []string{"pwd"}, TokenType: "Bearer",
		},
	}, s.introspect)
	route(s.Surface, operation{
		id: "forgotPassword", method: http.MethodPost, path: "/auth/password/forgot", tag: tagAuth,
		summary: "Send a link to choose a new password",
		text: "Queues a mail with a one-time token, good for 30 minutes, to the address the person has on record. The answer is the same where nobody has the address. " +
			"A later one makes the ones before worthless.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusAccepted,
		request: map[string]any{"email": sampleEmail}, answer: acceptedOut{true},
	}, s.forgot)
	route(s.Surface, operation{
		id: "resetPassword", method: http.MethodPost, path: "/auth/password/reset", tag: tagAuth,
		summary: "Choose a new password with a reset token",
		text:    "Sets the password and ends every session of the person, at every site. Nobody is signed in by it. A password that is refused leaves the token good.",
		access:  bySite, scope: otl.ScopeAuth, success: http.StatusOK, errors: []int{401, 503},
		request: map[string]any{"token": "otl_pr_2f8Kq0…", "password": "staple-battery-9"}, answer: resetOut{true},
	}, s.reset)
	route(s.Surface, operation{
		id: "changePassword", method: http.MethodPost, path: "/auth/password/change", tag: tagAuth,
		summary: "Change one's own password",
		text: "Sets the password of the person of the access token, who must know the present one. Raises the session version and ends his other sessions, at every site; " +
			"this one goes on after a refresh. He is told by mail. Needs a first-party access token of a sign-in of the last 15 minutes, with two factors where the person has one: " +
			"a site changes nobody's password, it sends the person to /account/security, or lets him choose a new one by mail.",
		access: byHimself, success: http.StatusOK, errors: []int{401, 409, 503},
		request: map[string]any{"current_password": "correct-horse-7", "password": "staple-battery-9"}, answer: changedOut{true, 8},
	}, s.changePassword)
}

func (s users) routes() {
	route(s.Surface, operation{
		id: "getMe", method: http.MethodGet, path: "/users/me", tag: tagUsers,
		summary: "Read the person of the access token",
		text:    "Gives the profile; fields the person did not grant to the site of the token are null.",
		access:  byPerson, success: http.StatusOK, answer: sampleUserOut(),
	}, s.me)
	update := operation{
		id: "updateMe", method: http.MethodPatch, path: "/users/me", tag: tagUsers,
		summary: "Change the profile of the person of the access token",
		text: "Sets the members given and leaves the others. Needs the version the change was made from, in the body or as If-Match; a 409 means that somebody " +
			"changed the profile first. A field the person did not grant to the site is a 403. The e-mail address is not changed here.",
		access: byPerson, success: http.StatusOK, errors: []int{403, 409},
		request: map[string]any{"name": "Jane Roe", "version": 3}, answer: sampleUserOut(),
	}
	route(s.Surface, update, s.update)
	update.id, update.method = "replaceMe", http.MethodPut
	update.text = "The same as PATCH: members left out stay as they are."
	route(s.Surface, update, s.update)
	route(s.Surface, operation{
		id: "removeMyPhone", method: http.MethodDelete, path: "/users/me/phone", tag: tagUsers,
		summary: "Take one's own telephone number away",
		text: "A proven number too, which a profile keeps otherwise. The person is told by mail, with a link that gives it back for four days. A 409 where it is needed: " +
			"he has no proven address (phone_alone), codes of a second factor go there (phone_is_factor), or a change can still be undone (change_held). " +
			"Needs a first-party access token of a sign-in of the last 15 minutes, with two factors where the person has one.",
		access: byHimself, success: http.StatusOK, errors: []int{409}, answer: deletedOut{true},
	}, s.removePhone)
}

func (s sessions) routes() {
	route(s.Surface, operation{
		id: "listSessions", method: http.MethodGet, path: "/sessions", tag: tagSessions,
		summary: "List live sessions",
		text: "With an access token: the person's own sessions at the site of the token, or everywhere for a first-party token. With a site key: the sessions of " +
			"one of its people there. Newest first.",
		access: bySiteOrOwn, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404}, answer: sampleSessions(),
	}, s.list)
	route(s.Surface, operation{
		id: "revokeSession", method: http.MethodDelete, path: "/sessions/{id}", tag: tagSessions,
		summary: "End one session",
		text:    "Ends the session and raises the person's session version, so that every access token he holds is refused from the next call on. A session of another person or site is a 404, like one that never was.",
		access:  bySiteOrOwn, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404}, answer: revokedOut{true, 8},
	}, s.revoke)
}

func (s sites) routes() {
	route(s.Surface, operation{
		id: "listSites", method: http.MethodGet, path: "/sites", tag: tagSites,
		summary: "List sites",
		text:    "With a first-party access token: the sites of the businesses the person owns. With the access token of a site: that site, as the person sees it; a site learns of no other.",
		access:  byPerson, success: http.StatusOK, answer: sampleSites(),
	}, s.list)
	route(s.Surface, operation{
		id: "getSite", method: http.MethodGet, path: "/sites/{id}", tag: tagSites,
		summary: "Read one site",
		text:    "With a first-party access token: a site the person owns. With the access token of a site: that site. Any other is a 404.",
		access:  byPerson, success: http.StatusOK, errors: []int{404}, answer: sampleSiteOut(),
	}, s.get)
	route(s.Surface, operation{
		id: "registerSite", method: http.MethodPost, path: "/sites", tag: tagSites,
		summary: "Register a site",
		text:    "Adds a site to the person's business, which is made if there is none, and gives its first site key, with the scopes auth and users, shown this once. Needs a first-party access token of a sign-in of the last 15 minutes.",
		access:  byOwner, success: http.StatusCreated, errors: []int{403},
		request: map[string]any{"name": "Acme Notes", "domain": "notes.example.com", "callback_url": "https://notes.example.com/auth/callback", "region": "eu"},
		answer:  sampleRegisteredSite(),
	}, s.register)
}

func (s feed) routes() {
	route(s.Surface, operation{
		id: "listRevocations", method: http.MethodGet, path: "/revocations", tag: tagSessions,
		summary: "Follow which sessions end",
		text: "For sites that verify access tokens by themselves: refuse a token whose session is named, and those of the person with a lower session_version. " +
			"Without a cursor the answer is the newest one and no entries. With wait, an empty answer is held back until there is an entry, for so many seconds. " +
			"With Accept: text/event-stream the entries come as server-sent events, each with its cursor as the id.",
		access: bySite, scope: otl.ScopeAuth, success: http.StatusOK, answer: sampleRevocations(), stream: s.stream,
	}, s.list)
}

func text(s string) shown { return shown{secret.NewText(s)} }

func ptr[T any](v T) *T { return &v }
