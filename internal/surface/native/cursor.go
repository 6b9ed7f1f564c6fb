package native

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
)

// Bounds of lists (contract 1.1, "Lists").
const (
	defaultLimit = 50
	maxLimit     = 200
)

// paging are the parameters every list takes.
type paging struct {
	limit  int
	cursor string
}

// after gives the id a list goes on behind. A cursor is good only for the list
// it was made for, named by scope: it is authenticated, so that nobody can page
// from where he likes (HT-13).
func (s *Surface) after(p paging, scope string) (id string, limit int, err error) {
	limit = p.limit
	if limit == 0 {
		limit = defaultLimit
	}
	if limit < 1 || limit > maxLimit {
		return "", 0, otl.InvalidField("limit", "out_of_range", "must be an integer from 1 to 200")
	}
	if p.cursor == "" {
		return "", limit, nil
	}
	id, err = s.cursorID(p.cursor, scope)
	return id, limit, err
}

// cursorID reads a cursor of one list.
func (s *Surface) cursorID(cursor, scope string) (string, error) {
	bad := &otl.Error{Kind: otl.Malformed, Code: "bad_cursor", Field: "cursor", Text: "is not a cursor of this list"}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) <= sha256.Size || len(raw) > 256 {
		return "", bad
	}
	id, mac := string(raw[sha256.Size:]), raw[:sha256.Size]
	if !hmac.Equal(mac, s.cursorMAC(scope, id)) {
		return "", bad
	}
	return id, nil
}

// next gives the cursor behind id, or nil where the list has ended.
func (s *Surface) next(more bool, id string, scope ...string) *string {
	if !more {
		return nil
	}
	c := s.cursor(id, strings.Join(scope, "|"))
	return &c
}

// cursor makes the cursor of a list behind id.
func (s *Surface) cursor(id, scope string) string {
	return base64.RawURLEncoding.EncodeToString(append(s.cursorMAC(scope, id), id...))
}

func (s *Surface) cursorMAC(scope, id string) []byte {
	mac := hmac.New(sha256.New, s.CursorKey)
	mac.Write([]byte(scope))
	mac.Write([]byte{0})
	mac.Write([]byte(id))
	return mac.Sum(nil)
}
