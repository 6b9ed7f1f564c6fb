package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/egress"
	"github.com/onetimelogin/otl/internal/installation"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
)

func TestD24_EveryErrorHasItsCode(t *testing.T) {
	t.Parallel()
	const elsewhere = "listen on an address and a port that this machine gives you, with --listen or OTL_LISTEN"
	address := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5432}
	for name, one := range map[string]struct {
		err  error
		code int
		text string
		try  string
	}{
		"anything":                          {errors.New("boom"), exitFailed, "boom", ""},
		"usage":                             {usageError{errors.New("no such flag"), "otl --help"}, exitUsage, "no such flag", "otl --help"},
		"not found":                         {otl.NoSuch("site"), exitNotFound, "No such site.", ""},
		"forbidden":                         {&otl.Error{Kind: otl.Forbidden, Text: "No."}, exitForbidden, "No.", ""},
		"unauthenticated":                   {otl.ErrCredentials, exitForbidden, "Email or password is wrong.", ""},
		"invalid":                           {otl.InvalidField("name", "required", "is required"), exitInvalid, "name: is required", ""},
		"several fields":                    {otl.InvalidFields([]otl.FieldError{{Field: "a", Text: "x"}, {Field: "b", Text: "y"}}), exitInvalid, "a: x; b: y", ""},
		"malformed":                         {&otl.Error{Kind: otl.Malformed, Text: "What?"}, exitInvalid, "What?", ""},
		"conflict":                          {otl.ErrEmailTaken, exitInvalid, "email: A user with this email exists.", ""},
		"limited":                           {&otl.Error{Kind: otl.Limited, Text: "Slowly."}, exitFailed, "Slowly.", ""},
		"unavailable":                       {otl.Busy(time.Second), exitUnreachable, "Too much work at once. Try again shortly.", ""},
		"internal":                          {&otl.Error{Text: "Hm."}, exitFailed, "Hm.", ""},
		"with its cause":                    {otl.Busy(0).Because(errors.New("disk full")), exitUnreachable, "Too much work at once. Try again shortly. (disk full)", ""},
		"a bad value":                       {&config.Error{Key: "OTL_LISTEN", Text: "is bad", Path: "listen"}, exitUnsafe, "OTL_LISTEN: is bad", "otl config explain listen"},
		"an unknown key":                    {&config.Error{Key: "OTL_X", Text: "is not a setting"}, exitUnsafe, "OTL_X: is not a setting", ""},
		"unsafe":                            {unsafeError{"that exposes people", "this"}, exitUnsafe, "that exposes people", "this"},
		"an open secret among other faults": {&config.Error{Key: "OTL_LISTEN", Text: "is bad", More: []*config.Error{{Key: "OTL_SECRET_KEY_FILE", Text: "x", Cause: config.ErrSecretFile}}}, exitSecret, "OTL_LISTEN: is bad; OTL_SECRET_KEY_FILE: x", ""},
		"an open secret":                    {fmt.Errorf("%w: x", config.ErrSecretFile), exitSecret, "secret file refused: x", ""},
		"another master key":                {installation.ErrMasterKey, exitSecret, installation.ErrMasterKey.Error(), ""},
		"a locked database":                 {fmt.Errorf("%w: x", store.ErrLocked), exitDatabase, "another otl server is using this database: x", "stop the other process, or use another directory with --data"},
		"findings":                          {findings{"two faults"}, exitFindings, "two faults", ""},
		"no answer":                         {unreachable{"http://localhost:1", "the connection was refused"}, exitUnreachable, "cannot reach http://localhost:1: the connection was refused", "start the server, or set OTL_URL to where it is"},
		"another certificate":               {unreachable{"https://id.test", egress.ProblemCertificate}, exitUnreachable, "cannot reach https://id.test: the certificate is not believed", "SSL_CERT_FILE=ca.pem, a file of the certificates to believe, or set OTL_URL to the name the certificate is for"},
		"a newer database":                  {store.ErrNewer, exitDatabase, store.ErrNewer.Error(), "start the newer program, or put the copy it made, otl.db.before-NUMBER, in the place of otl.db"},
		"an older database":                 {store.ErrOlder, exitDatabase, store.ErrOlder.Error(), ""},
		"a port in use":                     {&net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}, exitAddress, "listen tcp: bind: address already in use", "stop the process that listens there, or choose another address with --listen or OTL_LISTEN"},
		"a socket in use":                   {&net.OpError{Op: "listen", Net: "unix", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}, exitAddress, "listen unix: bind: address already in use", "stop the process that listens there, or choose another address with --listen or OTL_LISTEN"},
		"a port of others":                  {&net.OpError{Op: "listen", Net: "tcp", Err: syscall.EACCES}, exitAddress, "listen tcp: permission denied", elsewhere},
		"an address of others":              {&net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}, exitAddress, "listen tcp: bind: cannot assign requested address", elsewhere},
		"no such database":                  {fmt.Errorf("connect: %w", &pgconn.PgError{Code: "3D000", Message: `database "otl" does not exist`}), exitUnreachable, `the database refuses: database "otl" does not exist`, "make the database and its user, or check OTL_DATABASE_URL"},
		"PostgreSQL otherwise":              {&pgconn.PgError{Severity: "ERROR", Code: "42P01", Message: "no such table"}, exitFailed, "ERROR: no such table (SQLSTATE 42P01)", ""},
		"PostgreSQL away":                   {fmt.Errorf("connect: %w", &net.OpError{Op: "dial", Net: "tcp", Addr: address, Err: syscall.ECONNREFUSED}), exitUnreachable, "cannot reach the database: dial tcp 192.0.2.1:5432: connection refused", "check OTL_DATABASE_URL, and that PostgreSQL runs there"},
		"PostgreSQL unknown":                {&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "db.test"}}, exitUnreachable, "cannot reach the database: lookup db.test: no such host", "check OTL_DATABASE_URL, and that PostgreSQL runs there"},
		"interrupted":                       {fmt.Errorf("read: %w", context.Canceled), exitInterrupted, "interrupted", ""},
		"no directory":                      {&fs.PathError{Op: "mkdir", Path: "/x", Err: syscall.EACCES}, exitFailed, "mkdir /x: permission denied", "another directory: --data DIR (OTL_DATA_DIR)"},
		"no database":                       {errNoDatabase, exitNotFound, "There is no database here yet. Start with: otl serve, or name its directory with --data", ""},
		"joined with a second":              {errors.Join(otl.NoSuch("site"), errors.New("close")), exitNotFound, "No such site.", ""},
	} {
		code, text, try := explain(one.err)
		if code != one.code || text != one.text || try != one.try {
			t.Errorf("%s: got %d, %q, %q; want %d, %q, %q", name, code, text, try, one.code, one.text, one.try)
		}
	}
}

func TestErrorsStayOnTheirLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                    "plain",
		"two\nlines\t and  blanks": "two lines and blanks",
		"\x1b[2Jclear\x07":         "[2Jclear",
		"C1 \u009b31m":             "C1 31m",
		"right\u202eto left":       "right to left",
		"Jörg 👩‍💻 stays as she is": "Jörg 👩‍💻 stays as she is",
		"":                         "",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := visible("a  b\x1b[0m\nc"); got != "a  b [0m c" {
		t.Errorf("got %q", got)
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("connect:\n\tdial tcp\x1b[31m")
	f.Add("\u2028\u202e\x00 x")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{oneLine(s), visible(s)} {
			if strings.ContainsFunc(got, moves) || utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Errorf("%q became %q", s, got)
			}
		}
		if got := oneLine(s); got != oneLine(got) || strings.Contains(got, "  ") {
			t.Errorf("%q became %q", s, got)
		}
	})
}
