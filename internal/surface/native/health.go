package native

import (
	"net/http"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// health is how the installation is doing, for anybody (contract 1.10).
type health struct{ *Surface }

func (s health) routes() {
	route(s.Surface, operation{
		id: "getStatus", method: http.MethodGet, path: "/status", tag: tagStatus,
		summary: "Ask how the server is doing",
		text: "Takes no key. status is down where nobody can sign in, because the database or the signing keys are away, and degraded where another part is late or down. " +
			"The same is shown at /status. What is told is at most five seconds old, and always a 200; balancers ask /readyz.",
		access: anybody, success: http.StatusOK,
		answer: statusOut{"ok", partsOut{"ok", "ok", "ok", "ok", "ok"}, "2026-01-02T03:04:05Z"},
	}, s.get)
}

type statusOut struct {
	Status     string   `json:"status" doc:"How the whole is doing." enum:"ok,degraded,down" example:"ok"`
	Components partsOut `json:"components" doc:"How each part is doing."`
	CheckedAt  string   `json:"checked_at" doc:"When that was looked at." format:"date-time" example:"2026-01-02T03:04:05Z"`
}

type partsOut struct {
	Database string `json:"database" doc:"Where everything is kept." enum:"ok,degraded,down" example:"ok"`
	Keys     string `json:"signing_keys" doc:"What tokens are signed with." enum:"ok,degraded,down" example:"ok"`
	Messages string `json:"messages" doc:"Mails and SMS." enum:"ok,degraded,down" example:"ok"`
	Webhooks string `json:"webhooks" doc:"What sites are told of." enum:"ok,degraded,down" example:"ok"`
	Clock    string `json:"clock" doc:"Whether this node knows the time." enum:"ok,degraded,down" example:"ok"`
}

func (s health) get(c *call, _ *struct{}) (*statusOut, error) {
	h := s.Health(c.ctx)
	of := map[string]string{}
	for _, p := range h.Parts {
		of[p.Name] = string(p.Standing)
	}
	parts := partsOut{of[otl.PartDatabase], of[otl.PartKeys], of[otl.PartMessages], of[otl.PartWebhooks], of[otl.PartClock]}
	return &statusOut{string(h.Standing()), parts, h.At.UTC().Format(time.RFC3339)}, nil
}
