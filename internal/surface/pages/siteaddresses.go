package pages

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/signin"
	"github.com/onetimelogin/otl/internal/site"
)

// directions are the page on which the owner of a site says where people are sent back to, and
// whose scripts may call.
type directions struct{ owners }

// siteAddressesPage is that page.
type siteAddressesPage struct {
	At      string
	Version int
	Lists   []addressList
}

// addressList is a list of addresses, one a line.
type addressList struct{ Name, Label, Hint, Text, Wrong string }

// Names of those lists, as the API has them.
const (
	callbacksField = "callback_urls"
	originsField   = "allowed_origins"
)

func (p directions) routes() {
	f := siteForm[map[string][]string]{p.owners, siteAddresses, addressesOf, saidAddresses, changeAddresses, p.lay}
	at := ownedAt("{id}", siteAddresses)
	p.get(at, f.look)
	p.post(at, f.sent)
}

// addressesOf gives the lists that say what is stored.
func addressesOf(of otl.Site) map[string][]string {
	return map[string][]string{callbacksField: of.CallbackURLs, originsField: of.Origins}
}

// lines gives the lines of a field that are not empty.
func lines(r *http.Request, name string) (all []string) {
	for line := range strings.Lines(r.PostForm.Get(name)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// saidAddresses gives the lists as they were sent.
func saidAddresses(r *http.Request, _ otl.Site) map[string][]string {
	return map[string][]string{callbacksField: lines(r, callbacksField), originsField: lines(r, originsField)}
}

func changeAddresses(said map[string][]string, _ otl.Site) site.Change {
	callbacks, origins := said[callbacksField], said[originsField]
	return site.Change{Callbacks: &callbacks, Origins: &origins}
}

func (p directions) lay(w http.ResponseWriter, r *http.Request, v signin.Visit, of otl.Site, said map[string][]string, wrong error) error {
	s := p.screen(w, r, v, nil)
	s.about(of, siteAddresses, "own_addresses_heading")
	page := siteAddressesPage{At: ownedAt(of.ID, siteAddresses), Version: of.Version}
	for _, name := range []string{callbacksField, originsField} {
		page.Lists = append(page.Lists, addressList{name, s.Say("own_" + name), s.Say("own_" + name + "_hint"), strings.Join(said[name], "\n"), astray(s, name, "bad_"+name, said[name], wrong)})
	}
	s.Data = page
	return p.present(w, r, s, "siteaddresses.html", wrong)
}

// astray says in words for that which line of a list is wrong, "" for none.
func astray(s screen, name, words string, said []string, wrong error) string {
	if wrong == nil {
		return ""
	}
	more := otl.As(wrong).More
	i := slices.IndexFunc(more, func(f otl.FieldError) bool { return f.Field == name || strings.HasPrefix(f.Field, name+".") })
	if i < 0 {
		return ""
	}
	n, err := strconv.Atoi(strings.TrimPrefix(more[i].Field, name+"."))
	if err != nil || n >= len(said) { // it is too long
		return s.Say("bad_field")
	}
	return s.With("address", isolate(said[n])).Say(words)
}
