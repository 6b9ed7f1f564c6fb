package onelogin

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
)

// The calls by which a site says which custom attributes it has (contract 2.14). To name one of a
// person says it too.

func (s attributes) serve() {
	const path = "/api/2/users/custom_attributes"
	for _, v := range []string{"/api/1", "/api/2"} {
		s.Mux.HandleFunc("GET "+v+"/users/custom_attributes", s.byClient(otl.ScopeUsers, s.list))
	}
	s.Mux.HandleFunc("POST "+path, withBody(s.Surface, otl.ScopeUsers, s.define))
	s.Mux.HandleFunc("PUT "+path+"/{attribute}", withBody(s.Surface, otl.ScopeUsers, s.label))
	s.Mux.HandleFunc("DELETE "+path+"/{attribute}", s.byClient(otl.ScopeUsers, s.undefine))
	get, apps := s.byClient(otl.ScopeUsers, s.get), s.byClient(otl.ScopeUsers, people(s).none)
	s.Mux.HandleFunc("GET /api/2/users/{id}/{what}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PathValue("id") == customAttributes:
			r.SetPathValue("attribute", r.PathValue("what"))
			get(w, r)
		case r.PathValue("what") == "apps":
			apps(w, r)
		default:
			Fail(w, r, errRoute)
		}
	})
}

// attributeOut is a custom attribute in version 2.
type attributeOut struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Short    string `json:"shortname"`
	Position int    `json:"position"`
}

// defined gives the custom attributes of the site, oldest first.
func (s attributes) defined(c *call) ([]attributeOut, error) {
	names, ids, err := s.known(c)
	if err != nil {
		return nil, err
	}
	labels, err := s.Members.Labels(c.ctx(), c.site.ID)
	out := make([]attributeOut, len(names))
	for i, n := range names {
		out[i] = attributeOut{ids[i], cmp.Or(labels[n], n), n, i + 1}
	}
	return out, err
}

// list is GET /users/custom_attributes: in version 1 a list of one list of names.
func (s attributes) list(c *call) (reply, error) {
	if bare(c.r.URL.Path) {
		out, err := s.defined(c)
		return reply{http.StatusOK, out}, err
	}
	names, _, err := s.known(c)
	return success([][]string{append([]string{}, names...)}), err
}

// errNoAttribute is the answer to the id of no custom attribute of the site.
var errNoAttribute = literal(http.StatusNotFound, "Custom attribute does not exist")

// named gives the one that a path names.
func (s attributes) named(c *call) (attributeOut, error) {
	n, err := strconv.Atoi(c.r.PathValue("attribute"))
	if err != nil {
		return attributeOut{}, invalid("id", "ID is incorrect")
	}
	all, err := s.defined(c)
	if err != nil {
		return attributeOut{}, err
	}
	i := slices.IndexFunc(all, func(a attributeOut) bool { return a.ID == n })
	if i < 0 {
		return attributeOut{}, errNoAttribute
	}
	return all[i], nil
}

func (s attributes) get(c *call) (reply, error) {
	a, err := s.named(c)
	return reply{http.StatusOK, a}, err
}

// maxLabel is the longest label of a custom attribute, in code points.
const maxLabel = 100

type fieldIn struct {
	Name  *string `json:"name"`
	Short *string `json:"shortname"`
}

// definitionIn is a custom attribute as clients write it: within a member or without one.
type definitionIn struct {
	fieldIn
	Field *fieldIn `json:"user_field"`
}

// read gives what is asked for, "" where it is not said.
func (in *definitionIn) read() (label, name string, err error) {
	f := in.fieldIn
	if in.Field != nil {
		f = *in.Field
	}
	if f.Name != nil {
		if label, err = otl.CheckText("name", *f.Name, maxLabel); err != nil {
			return "", "", err
		}
	}
	if f.Short != nil {
		if name = *f.Short; !isAttribute(name) {
			return "", "", invalid("shortname", "must be 1 to 64 letters, digits, _ or -")
		}
	}
	return label, name, nil
}

// define is POST /api/2/users/custom_attributes.
func (s attributes) define(c *call, in *definitionIn) (reply, error) {
	label, name, err := in.read()
	if err == nil && name == "" {
		err = invalid("shortname", "is required")
	}
	if err != nil {
		return reply{}, err
	}
	names, _, err := s.known(c)
	if err == nil && slices.Contains(names, name) {
		err = invalid("shortname", "is one of the site's already")
	}
	if err == nil {
		err = s.name(c, map[string]*string{name: nil})
	}
	if err == nil {
		err = s.Members.Label(c.ctx(), c.site.ID, name, "", cmp.Or(label, name))
	}
	if err != nil {
		return reply{}, err
	}
	all, err := s.defined(c)
	i := slices.IndexFunc(all, func(a attributeOut) bool { return a.Short == name })
	if err == nil && i < 0 {
		err = errNoAttribute // taken away in this moment
	}
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, all[i]}, nil
}

// label is PUT /api/2/users/custom_attributes/{id}: what is kept of people stands under the name,
// which stays.
func (s attributes) label(c *call, in *definitionIn) (reply, error) {
	a, err := s.named(c)
	if err != nil {
		return reply{}, err
	}
	label, name, err := in.read()
	switch {
	case err != nil:
	case name != "" && name != a.Short:
		err = invalid("shortname", "cannot be changed")
	case label != "":
		err = s.Members.Label(c.ctx(), c.site.ID, a.Short, a.Name, label)
		a.Name = label
	}
	return reply{http.StatusOK, a}, err
}

// undefine is DELETE /api/2/users/custom_attributes/{id}: it is taken from everybody.
func (s attributes) undefine(c *call) (reply, error) {
	a, err := s.named(c)
	if err == nil {
		err = s.Members.Forget(c.ctx(), c.site, customAttributes, a.Short, traitOf(customAttributes, a.Short))
	}
	if err == nil {
		err = s.Members.Label(c.ctx(), c.site.ID, a.Short, a.Name, "")
	}
	if err == nil {
		err = s.Numbers.Forget(c.ctx(), number.Attribute, c.site.ID+" "+a.Short)
	}
	return reply{http.StatusNoContent, nil}, err
}
