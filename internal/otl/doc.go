// Package otl holds the nouns of the trade (user, site, session, grant, site
// key, event), the rules their values must keep (an e-mail address, a phone
// number, a callback URL) and the kinds of error every other package speaks.
//
// It knows no storage, no wire and no cryptography: nothing of ours is imported
// here and no type carries JSON tags, because the three wires spell the same
// nouns differently.
package otl
