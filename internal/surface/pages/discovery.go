package pages

import "net/http"

// discovery are the addresses at which password managers look for pages of ours.
type discovery struct{ *Pages }

func (p discovery) routes() {
	p.get("/.well-known/passkey-endpoints", p.passkeys)
	p.get("/.well-known/change-password", p.password)
}

// passkeys says where passkeys are set up and looked after (W3C, A Well-Known URL for
// Relying Party Passkey Endpoints).
func (p discovery) passkeys(w http.ResponseWriter, _ *http.Request) error {
	answer(w, map[string]string{"enroll": p.PublicURL + security, "manage": p.PublicURL + security})
	return nil
}

// password leads to where a new password is chosen (W3C, A Well-Known URL for Changing
// Passwords).
func (p discovery) password(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/forgot", http.StatusFound)
	return nil
}
