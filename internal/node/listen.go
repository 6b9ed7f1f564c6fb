package node

import (
	"github.com/onetimelogin/otl/internal/server"
	"github.com/onetimelogin/otl/internal/signin"
)

// Pages that wait hold at most one connection in listenShare, and where connections have no bound listenMost.
const (
	listenShare = 20
	listenMost  = 500
)

// listeners gives the places of pages that wait to be told of a link.
func (n *Node) listeners(c server.Connections) *signin.Listeners {
	most := listenMost
	if c.Total > 0 {
		most = max(c.Total/listenShare, 1)
	}
	return &signin.Listeners{Flows: n.Flows, Most: most}
}
