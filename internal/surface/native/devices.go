package native

import (
	"time"

	"github.com/onetimelogin/otl/internal/factor"
)

type deviceOut struct {
	ID         string     `json:"id"`
	SiteID     *string    `json:"site_id" doc:"Where alone it is trusted; null for everywhere."`
	Device     string     `json:"device" doc:"What it is, as far as it said."`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"When it last let the person in without a second step; null if never."`
	ExpiresAt  time.Time  `json:"expires_at" doc:"Until when it spares the second step. In the past where the site allows fewer days by now; should it allow more again, the device does so again."`
}

type devicesOut struct {
	Data       []deviceOut `json:"data"`
	NextCursor *string     `json:"next_cursor" doc:"Always null: the latest hundred are listed."`
}

func (s factors) devices(c *call, _ *nothing) (*devicesOut, error) {
	site := c.bearer.Site.ID
	if c.bearer.Site.FirstParty {
		site = ""
	}
	all, err := factor.Devices{Factors: s.Setup.Factors}.List(c.ctx, c.bearer.User.ID, site)
	out := &devicesOut{Data: []deviceOut{}}
	for _, d := range all {
		one := deviceOut{ID: d.ID, Device: d.Agent, CreatedAt: d.CreatedAt, LastUsedAt: seen(d.LastUsedAt), ExpiresAt: d.ExpiresAt}
		if d.Site.ID != s.Setup.Home {
			one.SiteID = ptr(d.Site.ID)
		}
		out.Data = append(out.Data, one)
	}
	return out, err
}

type deviceIn struct {
	ID string `path:"id" json:"-" doc:"Device id."`
}

func (s factors) forget(c *call, in *deviceIn) (*deletedOut, error) {
	return &deletedOut{true}, factor.Devices{Factors: s.Setup.Factors}.Forget(c.ctx, c.bearer.User.ID, in.ID)
}
