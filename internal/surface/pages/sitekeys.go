package pages

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/cookie"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// keyrings are the page on which the owner of a site looks after its keys.
type keyrings struct{ owners }

// keyOverlap is how long a key works on beside its successor, as the API has it.
const keyOverlap = 24 * time.Hour

// siteKeysPage is that page.
type siteKeysPage struct {
	At     string
	Keys   []keyCard
	Key    string // that was just made, shown this once; "" for none
	Name   string // as it was typed for one that was not made
	Scopes []option
}

// keyCard is a key as its owner sees it.
type keyCard struct {
	ID, Name, Text string
	Live           bool // it works; one that does not still counts among those a site has
}

func (p keyrings) routes() {
	at := ownedAt("{id}", siteKeys)
	p.get(at, p.list)
	p.post(at, p.create)
	p.post(at+"/{key}", p.act)
}

func (p keyrings) list(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteKeys, true)
	if err != nil || !ok {
		return err
	}
	return p.lay(w, r, v, of, siteKeysPage{}, nil)
}

// lay shows the keys, with one that was just made or what keeps one from being made.
func (p keyrings) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, page siteKeysPage, wrong error) error {
	all, err := p.Sites.Keys(r.Context(), of.ID)
	if err != nil {
		return err
	}
	s := p.screen(w, r, v, nil)
	s.about(of, siteKeys, "own_keys_heading")
	page.At = ownedAt(of.ID, siteKeys)
	for _, k := range all {
		live := k.Live(p.Now())
		page.Keys = append(page.Keys, keyCard{k.ID, k.Name, keyText(s, k, live), live})
	}
	chosen := otl.DefaultScopes().Strings()
	if wrong != nil {
		chosen = r.PostForm[scopesField]
	}
	page.Scopes = scopeOptions(s, chosen)
	s.Data = page
	code := p.wrong(&s, wrong)
	if otl.Is(wrong, "too_many_keys") {
		s.Problem = s.Say("own_keys_full")
	}
	switch {
	case page.Key != "":
		s.Good, s.Here = s.Say("saved"), nil // a key is not shown again
	case wrong == nil && p.jar.Noted(w, r) == cookie.DoneSaved:
		s.Good = s.Say("saved")
	}
	p.show(w, code, "sitekeys.html", "", s)
	return nil
}

// scopeOptions gives what a key or a client may do, and what of that is chosen.
func scopeOptions(s screen, chosen []string) (all []option) {
	for _, scope := range otl.AllScopes().Strings() {
		all = append(all, option{Value: scope, Text: s.Say("own_scope_" + strings.ReplaceAll(scope, ":", "_")), On: slices.Contains(chosen, scope)})
	}
	return all
}

// keyText says of a key how it begins, what it may do, and its times.
func keyText(s screen, k otl.SiteKey, live bool) string {
	date := func(words string, at time.Time) string { return s.With("date", s.day(at)).Say(words) }
	about := []string{isolate(site.KeyPrefix + k.Prefix + "…"), isolate(strings.Join(k.Scopes.Strings(), ", ")), date("factor_since", k.CreatedAt), s.Say("own_key_unused")}
	if !k.LastUsedAt.IsZero() {
		about[3] = date("factor_used", k.LastUsedAt)
	}
	switch {
	case !live:
		about = append(about, s.With("date", s.minute(k.ExpiresAt)).Say("own_key_ended"))
	case !k.ExpiresAt.IsZero():
		about = append(about, s.With("date", s.minute(k.ExpiresAt)).Say("own_key_ends"))
	}
	return strings.Join(about, " · ")
}

// create makes a key and shows it, this once.
func (p keyrings) create(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteKeys, true)
	if err != nil || !ok {
		return err
	}
	page := siteKeysPage{Name: strings.TrimSpace(r.PostForm.Get("name"))}
	scopes, err := otl.ParseScopes(r.PostForm[scopesField])
	if err == nil && page.Name == "" {
		err = otl.InvalidField("name", "required", "must say what the key is for")
	}
	var made site.MadeKey
	if err == nil {
		made, err = p.Sites.CreateKey(r.Context(), of.ID, site.NewKey{Name: page.Name, Scopes: scopes})
	}
	switch {
	case err == nil:
		return p.lay(w, r, v, of, siteKeysPage{Key: made.Key.Reveal()}, nil)
	case mendable(err), otl.Is(err, "too_many_keys"):
		return p.lay(w, r, v, of, page, err)
	}
	return err
}

// act replaces a key or revokes it, after who pressed that has said that he is sure.
func (p keyrings) act(w http.ResponseWriter, r *http.Request) error {
	v, of, ok, err := p.owner(w, r, siteKeys, true)
	if err != nil || !ok {
		return err
	}
	id, do := r.PathValue("key"), r.PostForm.Get("do")
	if do != "roll" && do != "revoke" {
		return errNoPath
	}
	if r.PostForm.Get("sure") != "yes" {
		return p.ask(w, r, v, of, id, do)
	}
	if do == "roll" {
		made, err := p.Sites.RollKey(r.Context(), of.ID, id, keyOverlap)
		if otl.Is(err, "too_many_keys") {
			return p.lay(w, r, v, of, siteKeysPage{}, err)
		}
		if err != nil {
			return err
		}
		return p.lay(w, r, v, of, siteKeysPage{Key: made.Key.Reveal()}, nil)
	}
	if err = p.Sites.RevokeKey(r.Context(), of.ID, id); err == nil {
		done(p.Pages, w, r, cookie.DoneSaved, ownedAt(of.ID, siteKeys))
	}
	return err
}

// ask asks whether somebody really wants to replace a key, or revoke it.
func (p keyrings) ask(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, id, do string) error {
	all, err := p.Sites.Keys(r.Context(), of.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(k otl.SiteKey) bool { return k.ID == id && (do == "revoke" || k.Live(p.Now())) })
	if i < 0 {
		return otl.NoSuch("site key")
	}
	s := p.screen(w, r, v, nil)
	at := ownedAt(of.ID, siteKeys)
	s.portal(s.Say("own_key_" + do + "_heading"))
	body := s.With("n", number(int64(keyOverlap.Hours()))).Say("own_key_" + do + "_body")
	s.Here = placed(at)
	s.Data = askPage{
		Body: []string{isolate(all[i].Name), body}, Action: at + "/" + id, Fields: url.Values{"do": {do}, "sure": {"yes"}},
		Press: s.Say("own_key_" + do), Back: at, Gives: do == "roll",
	}
	p.show(w, http.StatusOK, "ask.html", "", s)
	return nil
}
