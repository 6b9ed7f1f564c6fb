package demo

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// endpoint is a webhook endpoint as the server tells it.
type endpoint struct {
	ID     string `json:"id"`
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// Join registers where this site hears of changes, and gives the id of that endpoint.
// The secret of an endpoint is shown once, so one of an earlier start is replaced.
func (s *Site) Join(ctx context.Context) (string, error) {
	var all struct {
		Data []endpoint `json:"data"`
	}
	if err := s.call(ctx, http.MethodGet, "/api/v1/webhooks", nil, &all); err != nil {
		return "", err
	}
	at := s.Own + "/hooks"
	for _, e := range all.Data {
		if e.URL != at {
			continue
		}
		if err := s.call(ctx, http.MethodDelete, "/api/v1/webhooks/"+url.PathEscape(e.ID), nil, nil); err != nil && !errors.Is(err, errNotFound) {
			return "", err
		}
	}
	var made endpoint
	if err := s.call(ctx, http.MethodPost, "/api/v1/webhooks", map[string]string{"url": at, "description": s.Name + " demo"}, &made); err != nil {
		return "", err
	}
	s.mu.Lock()
	s.secret = made.Secret
	s.mu.Unlock()
	return made.ID, nil
}

// event is a webhook's body (contract 1.7).
type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
		User    map[string]any `json:"user"`
		UserID  string         `json:"user_id"`
		Session struct {
			ID string `json:"id"`
		} `json:"session"`
		Fields []string `json:"fields"`
	} `json:"data"`
}

// tolerance is how old a webhook may be.
const tolerance = 5 * time.Minute

// hook takes a webhook. One whose signature is wrong changes nothing, and is shown.
func (s *Site) hook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	var e event
	s.mu.Lock()
	defer s.mu.Unlock()
	good := genuine(s.secret, r.Header.Get("X-OTL-Signature-V2"), body, s.Now())
	if good && json.Unmarshal(body, &e) != nil {
		http.Error(w, "not an event", http.StatusBadRequest)
		return
	}
	repeated := good && slices.ContainsFunc(s.heard, func(h heard) bool { return h.Verified && h.ID == e.ID })
	if !repeated {
		s.heard = append([]heard{{s.Now(), e.Type, e.ID, good}}, s.heard[:min(len(s.heard), keepHeard-1)]...)
	}
	if good && !repeated {
		s.apply(e)
	}
	s.tell()
	if !good {
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// genuine checks `t=<seconds>,v1=<hex>[,v1=<hex>]` over "<seconds>.<body>": two
// values while the secret is being changed.
func genuine(secret, header string, body []byte, now time.Time) bool {
	if secret == "" {
		return false
	}
	var at string
	var given [][]byte
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			at = value
		case "v1":
			if mac, err := hex.DecodeString(value); err == nil {
				given = append(given, mac)
			}
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	return slices.ContainsFunc(given, func(g []byte) bool { return hmac.Equal(g, want) })
}

// apply brings what the site knows up to an event. The caller holds the lock.
func (s *Site) apply(e event) {
	for cookie, u := range s.visitors {
		switch {
		case e.Type == "user.updated" && e.Data.User["id"] == u.id:
			u.fields = seen(e.Data.User)
		case e.Type == "consent.granted" && e.Data.UserID == u.id: // all he lets the site see by now
			u.fields = slices.DeleteFunc(u.fields, func(f field) bool { return !slices.Contains(e.Data.Fields, f.Name) })
		case e.Type == "session.revoked" && e.Data.Session.ID == u.session,
			(e.Type == "consent.revoked" || e.Type == "user.deleted") && e.Data.UserID == u.id:
			delete(s.visitors, cookie)
		}
	}
}
