package pages

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
)

// partShown is how one part of the installation is doing, in words.
type partShown struct {
	Name, Standing string
	Good           bool
}

// healthPage is what the template of the status is given.
type healthPage struct {
	Time  string // when it was looked
	Parts []partShown
}

// statuses shows how the installation is doing to anybody (contract 1.10).
type statuses struct{ *Pages }

// page looks at nothing else, so that it is shown when the database is away.
func (p statuses) page(w http.ResponseWriter, r *http.Request) error {
	h := p.Health(r.Context())
	v := p.voice(w, r, nil)
	shown := healthPage{Time: v.With("date", v.minute(h.At)).Say("status_at")}
	for _, part := range h.Parts {
		shown.Parts = append(shown.Parts, partShown{v.Say("status_" + part.Name), v.Say("status_is_" + string(part.Standing)), part.Standing == otl.StandingOK})
	}
	s := screen{Voice: v, Title: v.Say("status_heading"), Data: shown}
	if said := v.Say("status_" + string(h.Standing())); h.Standing() == otl.StandingOK {
		s.Good = said
	} else {
		s.Problem = said
	}
	p.show(w, http.StatusOK, "status.html", "", s)
	return nil
}
