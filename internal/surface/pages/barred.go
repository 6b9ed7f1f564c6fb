package pages

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
)

// barred tells somebody that the site he comes from has suspended him. He can only go
// back, or go on as somebody else.
func (p entry) barred(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := visiting(p).due(w, r, signin.StepBarred)
	if err != nil || !ok {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.Title = s.Say("barred_heading")
	p.show(w, http.StatusForbidden, "barred.html", otl.Origin(v.Asked.Redirect), s)
	return nil
}
