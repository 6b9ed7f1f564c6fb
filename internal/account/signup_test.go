package account_test

import (
	"database/sql"
	"testing"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/secret"
)

// TestOT10_ASignUpWaitsForTheDiskWhoeverItIs: the transaction writes also where somebody has the address,
// or its answer would be there sooner; nothing is sent by it.
func TestOT10_ASignUpWaitsForTheDiskWhoeverItIs(t *testing.T) {
	t.Parallel()
	var file string
	w := otltest.New(t, otltest.SQLite, func(o *node.Options) { file = o.Store.URL })
	w.Person(t, "jane@dev.test", w.Notes.Site)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	version := func() (n int) { // is another once somebody else has written (PRAGMA data_version)
		t.Helper()
		if err := db.QueryRowContext(t.Context(), `PRAGMA data_version`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, email := range []string{"jane@dev.test", "nia@dev.test", "nia@dev.test"} {
		before := version()
		if _, _, err := w.Accounts.SignUp(t.Context(), account.Registration{Site: w.Notes.Site, Email: email, Password: secret.NewText("staple-battery-8")}); err != nil {
			t.Fatal(err)
		}
		if version() == before {
			t.Errorf("%s: nothing is written", email)
		}
	}
	if all := w.Letters(t, ""); len(all) != 0 {
		t.Errorf("%d letters", len(all))
	}
}
