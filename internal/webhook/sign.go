package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// SecretPrefix starts every secret of an endpoint; base64 of secretSize random bytes
// follows, as Standard Webhooks has it.
const SecretPrefix = "whsec_"

const secretSize = 32 // bytes: 256 bits (WH-06)

func newSecret() secret.Text {
	return secret.NewText(SecretPrefix + base64.StdEncoding.EncodeToString(secret.Bytes(secretSize)))
}

// CheckSecret reports whether a secret that somebody chose has the form of Standard
// Webhooks: the prefix and base64 of 24 to 64 bytes.
func CheckSecret(s secret.Text) bool {
	encoded, ok := strings.CutPrefix(s.Reveal(), SecretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	return ok && err == nil && len(key) >= 24 && len(key) <= 64
}

// Headers of a delivery (contract 1.7, decision D20).
const (
	HeaderEvent       = "X-Otl-Event"
	HeaderDelivery    = "X-Otl-Delivery" // the id of the event, the same at every attempt
	HeaderAttempt     = "X-Otl-Attempt"  // 1, 2, 3 …
	HeaderTimestamp   = "X-Otl-Timestamp"
	HeaderSignature   = "X-Otl-Signature"
	HeaderSignatureV2 = "X-Otl-Signature-V2"
	HeaderID          = "Webhook-Id" // these three by Standard Webhooks
	HeaderTime        = "Webhook-Timestamp"
	HeaderSignatures  = "Webhook-Signature"
)

// Sign writes the headers that prove where a body comes from. The secrets are the
// current one and, while it is being replaced, the one before. The headers that hold
// one signature for each secret have the current one's first. X-OTL-Signature has room
// for one alone: the older secret's, which the receiver has for certain.
func Sign(secrets []secret.Text, id string, now time.Time, body []byte) map[string][]string {
	at := strconv.FormatInt(now.Unix(), 10)
	v2, standard := []string{"t=" + at}, []string{}
	for _, s := range secrets {
		v2 = append(v2, "v1="+hex.EncodeToString(mac([]byte(s.Reveal()), []byte(at+"."), body)))
		standard = append(standard, "v1,"+base64.StdEncoding.EncodeToString(mac(standardKey(s), []byte(id+"."+at+"."), body)))
	}
	oldest := secrets[len(secrets)-1]
	return map[string][]string{
		HeaderTimestamp:   {at},
		HeaderSignature:   {hex.EncodeToString(mac([]byte(oldest.Reveal()), body))},
		HeaderSignatureV2: {strings.Join(v2, ",")},
		HeaderID:          {id},
		HeaderTime:        {at},
		HeaderSignatures:  {strings.Join(standard, " ")},
	}
}

// Head gives the header of a request that tells of an event: what it is, and the
// signatures of Sign.
func (t Told) Head(secrets []secret.Text, now time.Time, attempt int, body []byte) map[string][]string {
	h := Sign(secrets, t.ID, now, body)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "OneTimeLogin-Webhooks/1",
		HeaderEvent: string(t.Type), HeaderDelivery: t.ID, HeaderAttempt: strconv.Itoa(attempt),
	} {
		h[name] = []string{value}
	}
	return h
}

// standardKey is the key of Standard Webhooks: what the base64 behind the prefix
// stands for.
func standardKey(s secret.Text) []byte {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), SecretPrefix)) // made by newSecret
	return key
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
