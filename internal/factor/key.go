package factor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/onetimelogin/otl/internal/otl"
)

// Keys speaks WebAuthn (W3C, level 3) with passkeys and security keys. Nobody but this
// file knows the library that does. What goes between the two calls of a ceremony, and
// what is kept of a key, is opaque to everybody else.
type Keys struct{ wa *webauthn.WebAuthn }

// NewKeys makes the relying party whose id is the host of the installation's address.
func NewKeys(publicURL string) (*Keys, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, err
	}
	wa, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: u.Hostname(), RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys for %s: %w", publicURL, err)
	}
	return &Keys{wa}, nil
}

// errCloned means that a key has signed with a counter that goes back: there are two
// of it.
var errCloned = errors.New("the counter of the key went back")

// keyHolder is a person as the library wants to see him.
type keyHolder struct {
	otl.User
	keys []webauthn.Credential
}

// WebAuthnID implements webauthn.User.
func (h keyHolder) WebAuthnID() []byte { return []byte(h.ID) }

// WebAuthnName implements webauthn.User.
func (h keyHolder) WebAuthnName() string { return h.Email.Address }

// WebAuthnDisplayName implements webauthn.User.
func (h keyHolder) WebAuthnDisplayName() string {
	if h.Name != "" {
		return h.Name
	}
	return h.Email.Address
}

// WebAuthnCredentials implements webauthn.User.
func (h keyHolder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// holderOf gives a person with the keys he has, as they are kept.
func holderOf(u otl.User, kept [][]byte) (keyHolder, error) {
	h := keyHolder{User: u}
	for _, raw := range kept {
		var c webauthn.Credential
		if err := json.Unmarshal(raw, &c); err != nil {
			return h, err
		}
		h.keys = append(h.keys, c)
	}
	return h, nil
}

// create begins the registration of a key: options are for navigator.credentials.create.
func (k *Keys) create(u otl.User, has [][]byte) (options, ceremony []byte, err error) {
	h, err := holderOf(u, has)
	if err != nil {
		return nil, nil, err
	}
	exclude := make([]protocol.CredentialDescriptor, len(h.keys))
	for i := range h.keys {
		exclude[i] = h.keys[i].Descriptor()
	}
	o, session, err := k.wa.BeginRegistration(h, webauthn.WithExclusions(exclude))
	return both(o, session, err)
}

// created checks what navigator.credentials.create gave and gives what is kept of the
// key. The error is ErrProof.
func (k *Keys) created(u otl.User, ceremony, given []byte) ([]byte, error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(ceremony, &session); err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(given)
	if err != nil {
		return nil, ErrProof.Because(err)
	}
	c, err := k.wa.CreateCredential(keyHolder{User: u}, session, parsed)
	if err != nil {
		return nil, ErrProof.Because(err)
	}
	return json.Marshal(c)
}

// get begins an assertion with one key: options are for navigator.credentials.get.
func (k *Keys) get(u otl.User, kept []byte) (options, ceremony []byte, err error) {
	h, err := holderOf(u, [][]byte{kept})
	if err != nil {
		return nil, nil, err
	}
	o, session, err := k.wa.BeginLogin(h)
	return both(o, session, err)
}

// got checks what navigator.credentials.get gave and gives what is kept of the key from
// now on. The errors are ErrProof and errCloned.
func (k *Keys) got(u otl.User, kept, ceremony, given []byte) ([]byte, error) {
	h, err := holderOf(u, [][]byte{kept})
	if err != nil {
		return nil, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(ceremony, &session); err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(given)
	if err != nil {
		return nil, ErrProof.Because(err)
	}
	c, err := k.wa.ValidateLogin(h, session, parsed)
	if err != nil {
		return nil, ErrProof.Because(err)
	}
	if c.Authenticator.CloneWarning {
		return nil, errCloned
	}
	return json.Marshal(c)
}

// ask begins an assertion with any passkey of the person's device, over a challenge:
// options are for navigator.credentials.get. The key is to verify who holds it.
func (k *Keys) ask(challenge []byte) (*protocol.CredentialAssertion, *webauthn.SessionData, error) {
	return k.wa.BeginDiscoverableLogin(webauthn.WithChallenge(challenge), webauthn.WithUserVerification(protocol.VerificationRequired))
}

// answered checks what navigator.credentials.get gave over a challenge. Holder gives
// the person of an id with what is kept of his keys. It gives which of them it was and
// what is kept of it from now on. The errors are ErrProof, errCloned and the holder's.
func (k *Keys) answered(challenge, given []byte, holder func(id string) (otl.User, [][]byte, error)) (which int, kept []byte, err error) {
	_, session, err := k.ask(challenge)
	if err != nil {
		return 0, nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(given)
	if err != nil {
		return 0, nil, ErrProof.Because(err)
	}
	var broken error
	found, c, err := k.wa.ValidatePasskeyLogin(func(_, id []byte) (webauthn.User, error) {
		u, all, err := holder(string(id))
		if err == nil {
			var h keyHolder
			if h, err = holderOf(u, all); err == nil {
				return h, nil
			}
		}
		broken = err
		return nil, err
	}, *session, parsed)
	switch {
	case broken != nil:
		return 0, nil, broken
	case err != nil:
		return 0, nil, ErrProof.Because(err)
	}
	which = slices.IndexFunc(found.WebAuthnCredentials(), func(one webauthn.Credential) bool { return bytes.Equal(one.ID, c.ID) })
	if c.Authenticator.CloneWarning {
		return which, nil, errCloned
	}
	kept, err = json.Marshal(c)
	return which, kept, err
}

// accepted is what a browser is told of a person's passkeys: those that are not in the
// list are none any more (WebAuthn level 3 section 5.1.10).
type accepted struct {
	RPID   string                      `json:"rpId"`
	UserID protocol.URLEncodedBase64   `json:"userId"`
	IDs    []protocol.URLEncodedBase64 `json:"allAcceptedCredentialIds"`
}

// accepts gives the argument of PublicKeyCredential.signalAllAcceptedCredentials, as JSON.
func (k *Keys) accepts(u otl.User, kept [][]byte) ([]byte, error) {
	h, err := holderOf(u, kept)
	if err != nil {
		return nil, err
	}
	a := accepted{k.wa.Config.RPID, h.WebAuthnID(), []protocol.URLEncodedBase64{}}
	for _, c := range h.keys {
		a.IDs = append(a.IDs, c.ID)
	}
	return json.Marshal(a)
}

func both(options, session any, err error) ([]byte, []byte, error) {
	if err != nil {
		return nil, nil, err
	}
	o, err := json.Marshal(options)
	if err != nil {
		return nil, nil, err
	}
	s, err := json.Marshal(session)
	return o, s, err
}
