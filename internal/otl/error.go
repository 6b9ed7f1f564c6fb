package otl

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what went wrong in terms every surface can translate to its own
// status and envelope. No status code of any wire appears below a surface.
type Kind int

// The kinds of error. Internal is the zero value on purpose: an error nobody
// classified must never leak as anything friendlier.
const (
	Internal        Kind = iota // our fault; the text never leaves the log
	Malformed                   // the request could not be read at all
	Invalid                     // the request was read, a field breaks its rule
	Unauthenticated             // no proof of identity, or a proof that failed
	Forbidden                   // proven identity that may not do this
	NotFound                    // no such thing, or not yours: the two look alike
	Conflict                    // it exists already, or somebody changed it first
	Limited                     // too many tries; RetryAfter says when to come back
	Unavailable                 // a part of us is down or full; RetryAfter is set
)

// Error is the one error type that crosses packages. Text is safe to show to
// the caller; the cause goes to the log only and is reachable by errors.As and
// errors.Is.
type Error struct {
	Kind       Kind
	Code       string        // stable machine word, listed in docs/errors.md
	Text       string        // one sentence for the caller, without secrets
	Field      string        // member of the request at fault, "" if none
	RetryAfter time.Duration // set for Limited and Unavailable
	More       []FieldError  // every field at fault, when there are several
	cause      error
}

// FieldError names one member of a request and what is wrong with it.
type FieldError struct {
	Field string // path of the member, for example "callback_url"
	Code  string // machine word of the rule, for example "too_long"
	Text  string // the rule in words, without the rejected value
}

// Error gives the text with its field, and the cause for the log.
func (e *Error) Error() string {
	text := e.Text
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.cause != nil {
		return fmt.Sprintf("%s (%v)", text, e.cause)
	}
	return text
}

// Unwrap gives the cause, which is never shown to a caller.
func (e *Error) Unwrap() error { return e.cause }

// Because returns a copy of the error that carries cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// As returns the Error inside err. An error nobody classified comes back as
// Internal with a text that says nothing.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Code: "internal", Text: "Something went wrong on our side. Quote the request_id.", cause: err}
}

// Is reports whether err carries the given machine word.
func Is(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// InvalidField is the error for one member that breaks its rule.
func InvalidField(field, code, text string) *Error {
	return &Error{
		Kind: Invalid, Code: "validation_failed", Text: text, Field: field,
		More: []FieldError{{Field: field, Code: code, Text: text}},
	}
}

// InvalidFields is the error for several members at once. The first one leads.
// It panics on an empty list.
func InvalidFields(all []FieldError) *Error {
	return &Error{Kind: Invalid, Code: "validation_failed", Text: all[0].Text, Field: all[0].Field, More: all}
}

// NoSuch is the error for a thing that does not exist or belongs to another
// site; both read the same (contract 1.1, TE-01).
func NoSuch(noun string) *Error {
	return &Error{Kind: NotFound, Code: "not_found", Text: "No such " + noun + "."}
}

// Busy is the error for work refused because a queue is full.
func Busy(retry time.Duration) *Error {
	return &Error{Kind: Unavailable, Code: "overloaded", Text: "Too much work at once. Try again shortly.", RetryAfter: retry}
}

// Errors that several doors give with the same words. Treat them as constants.
var (
	// ErrCredentials is the one answer for an unknown person, a disabled one, one
	// without a password and a wrong password (decision D7, PW-09).
	ErrCredentials = &Error{Kind: Unauthenticated, Code: "invalid_credentials", Text: "Email or password is wrong."}
	// ErrUsernameTaken is the answer to a username that somebody else has.
	ErrUsernameTaken = &Error{Kind: Conflict, Code: "username_taken", Text: "A user with this username exists.", Field: "username"}
	// ErrFirstParty is the answer to a site that would change what a person signs in
	// with (decision D1).
	ErrFirstParty = &Error{Kind: Forbidden, Code: "first_party_required", Text: "Only the person himself can change this, with a token of this installation."}
	// ErrIndependent is the answer to a site that would act on somebody's account rather
	// than on what it knows of him (decision D1).
	ErrIndependent = &Error{Kind: Forbidden, Code: "user_independent", Text: "This person is known to other sites or has proven an address. Only he himself can change that."}
	// ErrTokenMissing is the answer to a call without an access token.
	ErrTokenMissing = &Error{Kind: Unauthenticated, Code: "token_missing", Text: "Send an access token as Authorization: Bearer."}
	// ErrToken is the answer to an access token that is malformed, forged,
	// expired or meant for another audience.
	ErrToken = &Error{Kind: Unauthenticated, Code: "token_invalid", Text: "The access token is invalid or expired."}
	// ErrSessionRevoked is the answer to a token whose session has ended.
	ErrSessionRevoked = &Error{Kind: Unauthenticated, Code: "session_revoked", Text: "The session was revoked. Sign in again."}
	// ErrSessionStale is the answer to an access token older than the person's
	// current session version.
	ErrSessionStale = &Error{Kind: Unauthenticated, Code: "session_version_stale", Text: "The access token is older than the current session version. Refresh."}
	// ErrRefresh is the answer to a refresh token that is unknown, expired, of
	// another site or malformed.
	ErrRefresh = &Error{Kind: Unauthenticated, Code: "refresh_invalid", Text: "The refresh token is invalid or expired."}
	// ErrRefreshReused is the answer to a refresh token that was already
	// exchanged; the session it belonged to has been ended.
	ErrRefreshReused = &Error{Kind: Unauthenticated, Code: "refresh_reused", Text: "The refresh token was already used. The session has been ended."}
	// ErrSiteKey is the answer to a malformed, unknown or revoked site key, ErrNoSiteKey
	// to none at all (contract 1.4).
	ErrSiteKey   = &Error{Kind: Unauthenticated, Code: "site_key_unknown", Text: "invalid site key"}
	ErrNoSiteKey = &Error{Kind: Unauthenticated, Code: "site_key_missing", Text: "invalid site key: none was sent. Send it as X-OTL-Site-Key."}
	// ErrEmailTaken is the answer to a registration with a known address.
	ErrEmailTaken = &Error{Kind: Conflict, Code: "email_taken", Text: "A user with this email exists.", Field: "email"}
	// ErrVersion is the answer to a change of something that changed meanwhile.
	ErrVersion = &Error{Kind: Conflict, Code: "version_conflict", Text: "The record changed in the meantime. Read it again and repeat your change.", Field: "version"}
)
