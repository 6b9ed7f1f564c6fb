package main

import (
	"context"
	"errors"
	"syscall"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

// Exit codes. Those from 10 on are starts that were refused (decision D24).
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitForbidden   = 4
	exitInvalid     = 5
	exitUnreachable = 7
	exitUnsafe      = 10
	exitDatabase    = 11
	exitSecret      = 12
	exitAddress     = 13
	exitInterrupted = 130
)

// usageError is a command line that cannot be understood.
type usageError struct {
	error
	try string
}

// unsafeError is a configuration that would be dangerous to run with.
type unsafeError struct{ text, try string }

// Error says what would be dangerous.
func (e unsafeError) Error() string { return e.text }

// explain turns an error into an exit code, one line of what and why, and what
// to try.
func explain(err error) (code int, text, try string) {
	text = err.Error()
	var usage usageError
	var unsafe unsafeError
	var conf *config.Error
	var known *otl.Error
	switch {
	case errors.As(err, &usage):
		return exitUsage, text, usage.try
	case errors.As(err, &unsafe):
		return exitUnsafe, text, unsafe.try
	case errors.As(err, &conf):
		return exitUnsafe, text, ""
	case errors.Is(err, config.ErrSecretFile), errors.Is(err, installation.ErrMasterKey):
		return exitSecret, text, ""
	case errors.Is(err, store.ErrLocked), errors.Is(err, store.ErrNewer), errors.Is(err, store.ErrOlder):
		return exitDatabase, text, ""
	case errors.Is(err, syscall.EADDRINUSE):
		return exitAddress, text, ""
	case errors.Is(err, context.Canceled):
		return exitInterrupted, "interrupted", ""
	case errors.As(err, &known):
		return kindCode(known.Kind), text, ""
	}
	return exitFailed, text, ""
}

func kindCode(k otl.Kind) int {
	switch k {
	case otl.NotFound:
		return exitNotFound
	case otl.Forbidden, otl.Unauthenticated:
		return exitForbidden
	case otl.Invalid, otl.Malformed, otl.Conflict:
		return exitInvalid
	case otl.Unavailable:
		return exitUnreachable
	}
	return exitFailed
}
