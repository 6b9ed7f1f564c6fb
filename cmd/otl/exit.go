package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"

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
	exitFindings    = 6
	exitUnreachable = 7
	exitUnsafe      = 10
	exitDatabase    = 11
	exitSecret      = 12
	exitAddress     = 13
	exitInterrupted = 130
)

// Codes of PostgreSQL for a database that lets nobody in.
const (
	noSuchDatabase = "3D000"
	wrongPassword  = "28P01"
	noSuchUser     = "28000"
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
	var network *net.OpError
	var name *net.DNSError
	var refused *pgconn.PgError
	var found findings
	var silent unreachable
	switch {
	case errors.As(err, &silent):
		return exitUnreachable, text, silent.mend()
	case errors.As(err, &found):
		return exitFindings, text, ""
	case errors.As(err, &usage):
		return exitUsage, text, usage.try
	case errors.As(err, &unsafe):
		return exitUnsafe, text, unsafe.try
	case errors.Is(err, config.ErrSecretFile), errors.Is(err, installation.ErrMasterKey):
		return exitSecret, text, ""
	case errors.As(err, &conf):
		if conf.Path != "" {
			try = "otl config explain " + conf.Path
		}
		return exitUnsafe, text, try
	case errors.Is(err, store.ErrLocked):
		return exitDatabase, text, "stop the other process, or use another directory with --data"
	case errors.Is(err, store.ErrNewer):
		return exitDatabase, text, "start the newer program, or put the copy it made, otl.db.before-NUMBER, in the place of otl.db"
	case errors.Is(err, store.ErrOlder):
		return exitDatabase, text, ""
	case errors.As(err, &name), errors.As(err, &network) && network.Op == "dial":
		return exitUnreachable, "cannot reach the database: " + away(name, network), "check OTL_DATABASE_URL, and that PostgreSQL runs there"
	case errors.As(err, &refused) && slices.Contains([]string{noSuchDatabase, wrongPassword, noSuchUser}, refused.Code):
		return exitUnreachable, "the database refuses: " + refused.Message, "make the database and its user, or check OTL_DATABASE_URL"
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EACCES) && errors.As(err, &network) && network.Op == "listen":
		return exitAddress, text, "listen on an address and a port that this machine gives you, with --listen or OTL_LISTEN"
	case errors.Is(err, syscall.EADDRINUSE):
		return exitAddress, text, "stop the process that listens there, or choose another address with --listen or OTL_LISTEN"
	case errors.Is(err, context.Canceled):
		return exitInterrupted, "interrupted", ""
	case errors.As(err, &known):
		return kindCode(known.Kind), faults(known), ""
	}
	if strings.HasPrefix(text, "mkdir ") {
		try = "another directory: --data DIR (OTL_DATA_DIR)"
	}
	return exitFailed, text, try
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

// away says why nobody was reached, without the user and the database's name.
func away(name *net.DNSError, network *net.OpError) string {
	if name != nil {
		return name.Error()
	}
	return network.Error()
}

// faults names every field at fault, where there are several.
func faults(e *otl.Error) string {
	if len(e.More) < 2 {
		return e.Error()
	}
	all := make([]string, len(e.More))
	for i, f := range e.More {
		all[i] = f.Field + ": " + f.Text
	}
	return strings.Join(all, "; ")
}

// oneLine makes one line of a text, without anything that could move a
// terminal's cursor: a part of it may come from outside.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || moves(r) }), " ")
}

// visible replaces what would steer a terminal, and keeps the blanks.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if moves(r) {
			return ' '
		}
		return r
	}, s)
}

// moves reports characters that steer a terminal instead of being shown.
func moves(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
