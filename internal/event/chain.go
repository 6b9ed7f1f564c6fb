package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"github.com/onetimelogin/otl/internal/otl"
)

// Link gives the hash of an event at a place of a log: SHA-256 over the hash of the
// entry before, the place, and everything the event says, each part behind its
// length (AU-03).
func Link(before []byte, seq int64, e otl.Event) []byte {
	h := sha256.New()
	var data []byte
	if len(e.Data) > 0 {
		data, _ = json.Marshal(e.Data) // sorted by key; texts can always be written
	}
	for _, part := range [][]byte{
		before, []byte(strconv.FormatInt(seq, 10)), []byte(e.ID), []byte(e.Type), []byte(e.UserID), []byte(e.SiteID), []byte(e.SessionID), data,
		[]byte(strconv.FormatInt(e.CreatedAt.UnixMilli(), 10)),
	} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return h.Sum(nil)
}
