package native

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
)

// routes are the operations of owners on their sites.
func (s ownedSites) routes() {
	key := newSiteKeyOut(otl.SiteKey{
		ID: sampleSession, Name: "mobile backend", Prefix: "2f8Kq0Zp", Scopes: otl.Scopes{otl.ScopeAuth, otl.ScopeUsers}, CreatedAt: sampleTime(),
	})
	update := operation{
		id: "updateSite", method: http.MethodPatch, path: "/sites/{id}", tag: tagSites,
		summary: "Change a site",
		text:    "Sets the members given and leaves the others; a list is set as a whole. Needs the version the change was made from, in the body or as If-Match.",
		access:  byOwner, success: http.StatusOK, errors: []int{404, 409},
		request: map[string]any{"allowed_origins": []string{"https://notes.example.com"}, "version": 1}, answer: sampleSiteOut(),
	}
	route(s.Surface, update, s.update)
	update.id, update.method, update.text = "replaceSite", http.MethodPut, "The same as PATCH: members left out stay as they are."
	route(s.Surface, update, s.update)
	route(s.Surface, operation{
		id: "deleteSite", method: http.MethodDelete, path: "/sites/{id}", tag: tagSites,
		summary: "Turn a site off",
		text:    "From the answer on its keys and the tokens of its people are refused. For 30 days the owner can restore it; then it is removed with its sessions, roles and what people granted it.",
		access:  byOwner, success: http.StatusOK, errors: []int{404}, answer: deletedSiteOut{true, sampleTime()},
	}, s.remove)
	route(s.Surface, operation{
		id: "restoreSite", method: http.MethodPost, path: "/sites/{id}/restore", tag: tagSites,
		summary: "Turn a deleted site on again", text: "Its keys work again, and sessions that have not ended meanwhile go on. What whoever runs the server turned off stays off: 403 site_turned_off.",
		access: byOwner, success: http.StatusOK, errors: []int{404}, answer: sampleSiteOut(),
	}, s.restore)
	route(s.Surface, operation{
		id: "listSiteKeys", method: http.MethodGet, path: "/sites/{id}/keys", tag: tagSites,
		summary: "List the keys of a site", text: "Those that are not revoked, oldest first, without the keys themselves.",
		access: byOwner, success: http.StatusOK, errors: []int{404}, answer: siteKeysOut{Data: []SiteKeyOut{key}},
	}, s.keys)
	route(s.Surface, operation{
		id: "createSiteKey", method: http.MethodPost, path: "/sites/{id}/keys", tag: tagSites,
		summary: "Make a key", text: "Adds a key to the site, shown this once. Give each program its own, with the scopes it needs.",
		access: byOwner, success: http.StatusCreated, errors: []int{404},
		request: map[string]any{"name": "mobile backend", "scopes": []string{"auth"}}, answer: newSiteKeyShown{key, text("otr_2f8Kq0ZpV7sXc4TtY9wB3nLr6mJdH1gAeUi5C0Qk")},
	}, s.createKey)
	route(s.Surface, operation{
		id: "rollSiteKey", method: http.MethodPost, path: "/sites/{id}/keys/{key_id}/roll", tag: tagSites,
		summary: "Replace a key", text: "Makes a key with the same name and scopes, shown this once, and lets the old one work for the overlap.",
		access: byOwner, success: http.StatusCreated, errors: []int{404}, optionalBody: true,
		request: map[string]any{"overlap_seconds": 86400}, answer: newSiteKeyShown{key, text("otr_2f8Kq0ZpV7sXc4TtY9wB3nLr6mJdH1gAeUi5C0Qk")},
	}, s.rollKey)
	route(s.Surface, operation{
		id: "revokeSiteKey", method: http.MethodDelete, path: "/sites/{id}/keys/{key_id}", tag: tagSites,
		summary: "Revoke a key", text: "The key is refused from the answer on.",
		access: byOwner, success: http.StatusOK, errors: []int{404}, answer: deletedOut{true},
	}, s.revokeKey)
}
