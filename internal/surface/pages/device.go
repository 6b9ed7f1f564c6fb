package pages

import (
	"cmp"

	"github.com/onetimelogin/otl/internal/otl"
)

// device names a browser for a sentence, "?" for one that says nothing of itself.
func device(agent string) string { return cmp.Or(otl.Agent(agent), "?") }
