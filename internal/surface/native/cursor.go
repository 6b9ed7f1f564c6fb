package native

import (
	"crypto/cipher"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
)

// Bounds of lists (contract 1.1, "Lists").
const (
	defaultLimit = 50
	maxLimit     = 200
	maxCursor    = 256 // bytes
)

// paging are the parameters every list takes.
type paging struct {
	limit  int
	cursor string
}

// after gives the id a list goes on behind. A cursor is good only for the list
// it was made for, named by scope: it is sealed, so that nobody can page from
// where he likes (HT-13) or read in it how much happens at other sites (TE-02).
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

// place reads the cursor of a list that goes by places of a log; 0 for none.
func place(s *Surface, p paging, list string) (int64, int, error) {
	at, limit, err := s.after(p, list)
	if err != nil || at == "" {
		return 0, limit, err
	}
	n, err := strconv.ParseInt(at, 10, 64)
	return n, limit, err
}

// cursorID reads a cursor of one list.
func (s *Surface) cursorID(cursor, scope string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil && len(raw) > chacha20poly1305.NonceSizeX && len(raw) <= maxCursor {
		nonce, sealed := raw[:chacha20poly1305.NonceSizeX], raw[chacha20poly1305.NonceSizeX:]
		if id, err := s.cursors().Open(nil, nonce, sealed, []byte(scope)); err == nil {
			return string(id), nil
		}
	}
	return "", &otl.Error{Kind: otl.Malformed, Code: "bad_cursor", Field: "cursor", Text: "is not a cursor of this list"}
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
	nonce := secret.Bytes(chacha20poly1305.NonceSizeX)
	return base64.RawURLEncoding.EncodeToString(s.cursors().Seal(nonce, nonce, []byte(id), []byte(scope)))
}

func (s *Surface) cursors() cipher.AEAD {
	a, err := chacha20poly1305.NewX(s.CursorKey)
	if err != nil { // a key of another length than 32 bytes
		panic(err)
	}
	return a
}
