package event

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/onetimelogin/otl/internal/store"
)

// digest is the hash of everything an event says, as it is stored: SHA-256 over its
// members, each behind its length (AU-03).
func digest(e *store.Entry) [sha256.Size]byte {
	buf := make([]byte, 0, 512)
	for _, part := range []string{
		e.ID, string(e.Type), e.UserID, e.SiteID, e.SessionID, e.Data, string(e.By.Kind), e.By.ID, e.Via, e.From, e.RequestID, e.Changes,
	} {
		buf = binary.BigEndian.AppendUint64(buf, uint64(len(part)))
		buf = append(buf, part...)
	}
	buf = binary.BigEndian.AppendUint64(buf, uint64(e.CreatedAt.UnixMilli()))
	return sha256.Sum256(buf)
}

// said is the hash of everything an entry says, or, where what identifies somebody was
// taken out of it, of what it said before.
func said(e *store.Entry) [sha256.Size]byte {
	if len(e.Erased) == sha256.Size {
		return [sha256.Size]byte(e.Erased)
	}
	return digest(e)
}

// link gives the hash of an entry of the installation's log: over that of the entry
// before, its place and what it says.
func link(before []byte, seq int64, what [sha256.Size]byte) []byte {
	buf := make([]byte, 0, 80)
	buf = append(buf, before...) // one length but at the beginning, where it is empty
	buf = binary.BigEndian.AppendUint64(buf, uint64(seq))
	buf = append(buf, what[:]...)
	sum := sha256.Sum256(buf)
	return sum[:]
}

// linkSite gives the hash of an entry of a site's log, which also says whether the
// site is told of it and as the how manieth about a person.
func linkSite(before []byte, seq int64, what [sha256.Size]byte, told bool, userSeq int64) []byte {
	buf := make([]byte, 0, 96)
	buf = append(buf, before...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(seq))
	buf = append(buf, what[:]...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(userSeq))
	if told {
		buf = append(buf, 1)
	}
	sum := sha256.Sum256(buf)
	return sum[:]
}
