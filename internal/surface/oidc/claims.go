package oidc

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/session"
	"github.com/onetimelogin/otl/internal/signin"
)

// maxClaims is the longest parameter claims, in bytes.
const maxClaims = 8192

// member is what a client says of a claim that it asks for by name; null where it says
// nothing (OpenID Connect Core section 5.5.1).
type member struct {
	Essential bool  `json:"essential"`
	Value     any   `json:"value"`
	Values    []any `json:"values"`
}

// claims reads the parameter of that name: which claims are to stand where, whom the
// client takes the person for, and whether it needs two factors. Claims nobody knows are
// passed over, and what the person did not grant the site is left out later.
func claims(raw string, a *otl.Asked) *wish {
	if raw == "" {
		return nil
	}
	var asked struct {
		UserInfo map[string]*member `json:"userinfo"`
		ID       map[string]*member `json:"id_token"`
	}
	if len(raw) > maxClaims || json.Unmarshal([]byte(raw), &asked) != nil || !strings.HasPrefix(strings.TrimSpace(raw), "{") {
		return &wish{"invalid_request", "claims must be a JSON object with members userinfo and id_token, of at most 8192 bytes"}
	}
	var out []string
	for where, names := range map[string]map[string]*member{session.InUserInfo: asked.UserInfo, session.InIDToken: asked.ID} {
		for _, name := range session.Named() {
			if _, wanted := names[name]; wanted {
				out = append(out, where+name)
			}
		}
	}
	slices.Sort(out)
	a.More[signin.MoreClaims] = strings.Join(out, " ")
	return demands(asked.ID["sub"], asked.ID["acr"], a)
}

// demands reads the claims that are more than a wish: the person, and the factors.
func demands(sub, acr *member, a *otl.Asked) *wish {
	if sub != nil && sub.Value != nil {
		id, ok := sub.Value.(string)
		if !ok || !session.ValidSubject(a.Subject, id) {
			return &wish{"login_required", "There is nobody with this sub."}
		}
		a.Person = id
	}
	if acr != nil {
		levels := acr.Values
		if acr.Value != nil {
			levels = []any{acr.Value}
		}
		switch {
		case !acr.Essential:
			signin.Wish(a, words(levels)...)
		case len(levels) == 0 || slices.Contains(levels, any("1")):
		case slices.Contains(levels, any("2")):
			a.Factors = 2
		default:
			return &wish{"unmet_authentication_requirements", "acr is 1 or 2 here"}
		}
	}
	return nil
}

// words gives the members of a list, with "" for each that is no text.
func words(list []any) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i], _ = one.(string)
	}
	return out
}
