package event

import "github.com/onetimelogin/otl/internal/store"

// Link gives the hash of an entry in the log of the installation.
func Link(before []byte, seq int64, e store.Entry) []byte { return link(before, seq, digest(&e)) }

// LinkSite gives the hash of an entry in the log of a site.
func LinkSite(before []byte, seq int64, e store.Entry, told bool, userSeq int64) []byte {
	return linkSite(before, seq, digest(&e), told, userSeq)
}
