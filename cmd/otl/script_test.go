package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestMain lets this very binary be run as `otl`: by scripts, and by the tests
// that start a server.
func TestMain(m *testing.M) {
	// Under the race detector a process sleeps for a second before it ends.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=10 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"otl": main})
}

// TestScripts runs testdata/script/*.txtar, one subject each, on SQLite. These
// commands are theirs:
//
//	refused CODE PROGRAM ARG…   fails unless the program ends with that code, prints
//	                            nothing, and says why in one line (and what to try in one more)
//	member NAME PATH            puts one member of the JSON object last printed into a variable
//	sql TEXT                    changes the database behind the program's back
//	busy NAME                   listens at an address and puts it into a variable
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, params(t, "", "testdata/script/*.txtar"))
}

// TestScriptsOnPostgres runs those about the database again on PostgreSQL, each
// on a database of its own.
func TestScriptsOnPostgres(t *testing.T) {
	t.Parallel()
	p := params(t, otltest.Postgres, "testdata/script/db-*.txtar")
	databases := make(chan string, len(p.Files)) // made here: only the test's own goroutine may fail it
	for range p.Files {
		databases <- otltest.EmptyDatabaseURL(t, otltest.Postgres)
	}
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("OTL_DATABASE_URL", <-databases)
		return setUp(env)
	}
	testscript.Run(t, p)
}

func params(t *testing.T, engine otltest.Engine, files string) testscript.Params {
	t.Helper()
	found, err := filepath.Glob(files)
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", files, err)
	}
	return testscript.Params{
		Files: found, Setup: setUp, RequireExplicitExec: true, RequireUniqueNames: true,
		Condition: func(cond string) (bool, error) { return cond == string(engine), nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"refused": refused, "member": member, "sql": execSQL, "busy": busy,
		},
	}
}

// setUp puts the scripts elsewhere on earth: what they print must not depend on
// it.
func setUp(env *testscript.Env) error {
	env.Setenv("TZ", "Asia/Kolkata")
	return nil
}

func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refused CODE PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("ended with %v, want code %d", err, want)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("printed %q", out)
	}
	if fault := faultIn(ts.ReadFile("stderr")); fault != "" {
		ts.Fatalf("%s", fault)
	}
}

// faultIn says what is wrong with an error as it is shown: it is one line, and
// maybe one more with what to try.
func faultIn(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	switch {
	case !strings.HasPrefix(lines[0], "otl: ") || len(lines[0]) < len("otl: ")+8:
		return "the error does not begin with the program's name and a reason"
	case len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[1], "try: "):
		return "the error is more than a line of what and a line of what to try"
	case strings.Contains(text, "goroutine ") || strings.Contains(text, ".go:") || strings.Contains(text, "0x"):
		return "the error shows the program's inside"
	case strings.ContainsAny(strings.Join(lines, ""), "\t\x1b"):
		return "the error steers the terminal"
	}
	return ""
}

func member(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: member NAME PATH")
	}
	out := ts.ReadFile("stdout")
	if strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "}\n") {
		ts.Fatalf("not one JSON object on one line")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(out), &v))
	for p := range strings.SplitSeq(args[1], ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[p]
		case []any:
			i, err := strconv.Atoi(p)
			ts.Check(err)
			if i >= len(in) {
				ts.Fatalf("%s: there are only %d", args[1], len(in))
			}
			v = in[i]
		}
	}
	switch v := v.(type) {
	case string:
		ts.Setenv(args[0], v)
	case float64:
		ts.Setenv(args[0], strconv.FormatFloat(v, 'f', -1, 64))
	default:
		ts.Fatalf("%s is %v", args[1], v)
	}
}

func execSQL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sql TEXT")
	}
	driver, url := "pgx", ts.Getenv("OTL_DATABASE_URL")
	if url == "" {
		driver, url = "sqlite", ts.MkAbs("otl-data/otl.db")
	}
	db, err := sql.Open(driver, url)
	ts.Check(err)
	_, err = db.Exec(args[0])
	ts.Check(errors.Join(err, db.Close()))
}

func busy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: busy NAME")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
}

// TestEveryRefusalIsScripted keeps the exit codes and the scripts together.
func TestEveryRefusalIsScripted(t *testing.T) {
	t.Parallel()
	var missing []string
	for _, code := range []int{exitFailed, exitUsage, exitNotFound, exitInvalid, exitUnreachable, exitUnsafe, exitDatabase, exitSecret, exitAddress} {
		if out, err := exec.Command("grep", "-rlE", "^refused "+strconv.Itoa(code)+" ", "testdata/script").Output(); err != nil || len(out) == 0 {
			missing = append(missing, strconv.Itoa(code))
		}
	}
	if !slices.Equal(missing, nil) {
		t.Errorf("no script is refused with %v", missing)
	}
}
