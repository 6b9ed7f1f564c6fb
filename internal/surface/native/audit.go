package native

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// audits are the operations on the log of a site: for the site itself, and for its
// owner.
type audits struct{ *Surface }

type actorOut struct {
	Kind string `json:"kind" enum:"person,site_key,client,command,system,anybody,"`
	ID   string `json:"id" doc:"Of the person, key or client; the operating system's user for a command."`
}

type changeOut struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

type auditOut struct {
	Seq       int64       `json:"seq" doc:"1, 2, 3 … without a gap."`
	ID        string      `json:"id" doc:"Of the event."`
	Type      string      `json:"type"`
	By        *actorOut   `json:"by" doc:"Who did it; null where another site is concerned."`
	IP        string      `json:"ip" doc:"Where the call came from; empty for commands and jobs."`
	RequestID string      `json:"request_id"`
	UserID    string      `json:"user_id"`
	SessionID string      `json:"session_id"`
	Data      facts       `json:"data"`
	Changes   []changeOut `json:"changes" doc:"What an administrative act changed."`
	Hash      string      `json:"hash" doc:"Of this entry and all before."`
	CreatedAt time.Time   `json:"created_at"`
}

func newAuditOut(e otl.SiteEvent) auditOut {
	out := auditOut{
		Seq: e.Seq, ID: e.ID, Type: string(e.Type), IP: e.From, RequestID: e.RequestID, UserID: e.UserID, SessionID: e.SessionID,
		Data: facts{}, Changes: []changeOut{}, Hash: hex.EncodeToString(e.Hash), CreatedAt: e.CreatedAt,
	}
	if e.By.Kind != "" {
		out.By = &actorOut{string(e.By.Kind), e.By.ID}
	}
	for k, v := range e.Data {
		out.Data[k] = v
	}
	for _, c := range e.Changes {
		out.Changes = append(out.Changes, changeOut(c))
	}
	return out
}

type listAuditIn struct {
	Type   string `query:"type" json:"-" doc:"Only entries of this type."`
	UserID string `query:"user_id" json:"-" doc:"Only entries about this one of the site's people."`
	Since  string `query:"since" json:"-" doc:"Only entries from this moment on, RFC 3339."`
	Order  string `query:"order" json:"-" doc:"asc, or desc for the newest first; asc if left out."`
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"cursor of an answer before, to the same question."`
}

type listSiteAuditIn struct {
	ID     string `path:"id" json:"-" doc:"Site id."`
	Type   string `query:"type" json:"-" doc:"Only entries of this type."`
	UserID string `query:"user_id" json:"-" doc:"Only entries about this one of the site's people."`
	Since  string `query:"since" json:"-" doc:"Only entries from this moment on, RFC 3339."`
	Order  string `query:"order" json:"-" doc:"asc, or desc for the newest first; asc if left out."`
	Limit  int    `query:"limit" json:"-" doc:"1 to 200; 50 if left out."`
	Cursor string `query:"cursor" json:"-" doc:"cursor of an answer before, to the same question."`
}

type auditsOut struct {
	Data       []auditOut `json:"data"`
	NextCursor *string    `json:"next_cursor" doc:"null where there is nothing more by now."`
	Cursor     string     `json:"cursor" doc:"Where to go on later; never null."`
}

func (s audits) list(c *call, in *listAuditIn) (*auditsOut, error) {
	return s.page(c, c.site.ID, wanted{in.Type, in.UserID, in.Since, in.Order}, paging{in.Limit, in.Cursor})
}

func (s audits) listOwned(c *call, in *listSiteAuditIn) (*auditsOut, error) {
	site, err := s.Sites.Owned(c.ctx, c.bearer.User.ID, in.ID)
	if err != nil {
		return nil, err
	}
	return s.page(c, site.ID, wanted{in.Type, in.UserID, in.Since, in.Order}, paging{in.Limit, in.Cursor})
}

func (s audits) page(c *call, siteID string, w wanted, p paging) (*auditsOut, error) {
	f, list, err := filter(s.Surface, c, siteID, w, p, "audit|"+siteID)
	if err != nil {
		return nil, err
	}
	found, last, more, err := s.Events.Audit(c.ctx, siteID, f)
	if err != nil {
		return nil, err
	}
	out := &auditsOut{Data: []auditOut{}}
	for _, e := range found {
		out.Data = append(out.Data, newAuditOut(e))
	}
	out.Cursor = s.cursor(strconv.FormatInt(last, 10), list)
	if more {
		out.NextCursor = &out.Cursor
	}
	return out, nil
}

func (s audits) routes() {
	sample := auditsOut{Cursor: "K7yv…", Data: []auditOut{{
		Seq: 42, ID: "evt_01HKZ5D2C4E6G8J1K3N5Q7S9TV", Type: "site.updated", By: &actorOut{"person", sampleUser}, IP: "198.51.100.7",
		RequestID: "7f3c2a54-0c1d-4c7e-9d52-1b0a6c1f2e3d", Data: facts{"by": sampleUser, "changed": "name"}, Changes: []changeOut{{"name", "Notes", "Acme Notes"}},
		Hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", CreatedAt: sampleTime(),
	}}}
	route(s.Surface, operation{
		id: "listAudit", method: http.MethodGet, path: "/audit", tag: tagSites,
		summary: "Read the log of the site",
		text: "Everything that happened at the site, oldest first: who did what, to what, from where, in which request, and what administrative acts changed. " +
			"Keep the cursor of the last answer and go on from it. That you read it is an entry itself.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, answer: sample,
	}, s.list)
	route(s.Surface, operation{
		id: "listSiteAudit", method: http.MethodGet, path: "/sites/{id}/audit", tag: tagSites,
		summary: "Read the log of one's site", text: "The same as GET /audit, for the owner of the site.",
		access: byOwner, success: http.StatusOK, errors: []int{404}, answer: sample,
	}, s.listOwned)
}
