package secret

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what authenticator apps compute (RFC 6238 section 1.2); collisions are no matter to an HMAC
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Parameters of the codes of authenticator apps (RFC 6238): what all apps can do.
const (
	totpSeed   = 20 // bytes: 160 bits (RFC 4226 section 4, R6)
	totpStep   = 30 * time.Second
	totpDigits = 6
	totpSkew   = 1 // steps before and after the present one that are accepted
)

var totpCoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewTOTPSeed makes the secret that an authenticator app shares with us.
func NewTOTPSeed() Text { return NewText(string(Bytes(totpSeed))) }

// ParseTOTPSeed reads a secret as apps show it: base32, blanks and case do not
// matter. It must have 128 bits at least (RFC 4226 section 4, R6).
func ParseTOTPSeed(s string) (Text, error) {
	raw, err := totpCoding.DecodeString(strings.ToUpper(strings.TrimRight(strings.ReplaceAll(s, " ", ""), "=")))
	if err != nil || len(raw) < 16 || len(raw) > 64 {
		return Text{}, fmt.Errorf("a seed of an authenticator app is 16 to 64 bytes in base32")
	}
	return NewText(string(raw)), nil
}

// EncodeTOTPSeed gives the form that people type into an app.
func EncodeTOTPSeed(seed Text) Text { return NewText(totpCoding.EncodeToString([]byte(seed.Reveal()))) }

// TOTPLink gives the otpauth URL of a seed, which apps read from a QR code. Issuer
// and account are what the app shows.
func TOTPLink(seed Text, issuer, account string) Text {
	issuer = strings.ReplaceAll(issuer, ":", " ")
	q := url.Values{"secret": {EncodeTOTPSeed(seed).Reveal()}, "issuer": {issuer}}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + account, RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}
	return NewText(u.String())
}

// TOTP gives the code of a seed at a moment.
func TOTP(seed Text, now time.Time) string { return hotp(seed, now.Unix()/int64(totpStep.Seconds())) }

// MatchTOTP gives the time step a code belongs to: the present one, or one before
// or after it, since clocks differ. That the step was not used before is for the
// caller to see to.
func MatchTOTP(seed, code Text, now time.Time) (step int64, ok bool) {
	given := []byte(code.Reveal())
	present := now.Unix() / int64(totpStep.Seconds())
	for i := int64(-totpSkew); i <= totpSkew; i++ {
		if hmac.Equal([]byte(hotp(seed, present+i)), given) {
			step, ok = present+i, true
		}
	}
	return step, ok && step > 0
}

// hotp is RFC 4226 section 5.3.
func hotp(seed Text, counter int64) string {
	h := hmac.New(sha1.New, []byte(seed.Reveal()))
	var message [8]byte
	binary.BigEndian.PutUint64(message[:], uint64(counter))
	h.Write(message[:])
	sum := h.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	n := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, n%1_000_000)
}
