package transmit_test

import (
	"net/http"
	"testing"

	"github.com/onetimelogin/otl/internal/otltest"
)

// TestWhatIsShownIsCounted: one person asked for is one reading, and one in a list is.
func TestWhatIsShownIsCounted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, x *tenant) {
		made := x.post(t, "/v1/users", object{"email": "joe@dev.test"}).Want(t, http.StatusCreated)
		id := made.JSON["result"].(object)["user_id"].(string)
		for _, path := range []string{"/v1/users/" + id, "/v1/users?page_limit=10"} {
			x.Do(t, otltest.Call{Path: path, Bearer: x.bearer}).Want(t, http.StatusOK)
		}
		x.Do(t, otltest.Call{Path: "/v1/users/email/nobody@dev.test", Bearer: x.bearer}).Want(t, http.StatusNotFound)
		all, err := x.Ledger.Of(t.Context(), id)
		if err != nil || len(all) != 1 || all[0].Times != 3 || all[0].Fields.String() != "email name" { // made, read, listed
			t.Errorf("%+v %v", all, err)
		}
	})
}
