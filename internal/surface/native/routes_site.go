package native

import (
	"net/http"

	"github.com/onetimelogin/otl/internal/otl"
)

// routes are the operations on the people of a site.
func (s members) routes() {
	route(s.Surface, operation{
		id: "listUsers", method: http.MethodGet, path: "/users", tag: tagUsers,
		summary: "List the people of the site",
		text:    "People who joined the site and have not left it, oldest first, with what they granted. Searches look at granted fields only.",
		access:  bySite, scope: otl.ScopeUsers, success: http.StatusOK, answer: usersOut{Data: []*userOut{sampleUserOut()}},
	}, s.list)
	route(s.Surface, operation{
		id: "createUser", method: http.MethodPost, path: "/users", tag: tagUsers,
		summary: "Add a person",
		text:    "Adds a person who joins the site, without signing him in. An address that is known in the network is a 409: that person joins by signing in.",
		access:  bySite, scope: otl.ScopeUsers, success: http.StatusCreated, errors: []int{409},
		request: map[string]any{"email": sampleEmail, "name": "Jane Doe"}, answer: sampleUserOut(),
	}, s.create)
	route(s.Surface, operation{
		id: "getUser", method: http.MethodGet, path: "/users/{id}", tag: tagUsers,
		summary: "Read one person",
		text:    "With a site key: one of its people. With an access token: the person himself. Anybody else is a 404.",
		access:  bySiteOrOwn, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404}, answer: sampleUserOut(),
	}, s.get)
	update := operation{
		id: "updateUser", method: http.MethodPatch, path: "/users/{id}", tag: tagUsers,
		summary: "Change the profile of one person",
		text:    "Sets the members given, of fields the person granted, and leaves the others. Needs the version the change was made from, in the body or as If-Match.",
		access:  bySiteOrOwn, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404, 409},
		request: map[string]any{"name": "Jane Roe", "version": 3}, answer: sampleUserOut(),
	}
	route(s.Surface, update, s.update)
	update.id, update.method = "replaceUser", http.MethodPut
	update.text = "The same as PATCH: members left out stay as they are."
	route(s.Surface, update, s.update)
	route(s.Surface, operation{
		id: "deleteUser", method: http.MethodDelete, path: "/users/{id}", tag: tagUsers,
		summary: "Let a person leave the site, or the network",
		text: "With a site key or an access token of a site: ends what the person granted that site, his roles and his sessions there. With a first-party access " +
			"token of the last 15 minutes: deletes the person, for good.",
		access: bySiteOrOwn, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404}, answer: deletedOut{true},
	}, s.remove)
}

// routes are the operations on what people can be at a site.
func (s roles) routes() {
	route(s.Surface, operation{
		id: "listRoles", method: http.MethodGet, path: "/roles", tag: tagRoles,
		summary: "List the roles of the site", text: "The catalogue, by name.",
		access: bySite, scope: otl.ScopeUsers, success: http.StatusOK, answer: rolesOut{Data: []*roleOut{ptr(sampleRole())}},
	}, s.list)
	route(s.Surface, operation{
		id: "createRole", method: http.MethodPost, path: "/roles", tag: tagRoles,
		summary: "Add a role", text: "Adds a role to the catalogue of the site. A role named admin lets its people assign roles with their own access token.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusCreated, errors: []int{409},
		request: map[string]any{"name": "editor", "permissions": []string{"notes:read", "notes:write"}}, answer: sampleRole(),
	}, s.create)
	route(s.Surface, operation{
		id: "updateRole", method: http.MethodPatch, path: "/roles/{name}", tag: tagRoles,
		summary: "Change a role", text: "Sets the members given and leaves the others. A role keeps its name.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404},
		request: map[string]any{"default": true}, answer: sampleRole(),
	}, s.update)
	route(s.Surface, operation{
		id: "deleteRole", method: http.MethodDelete, path: "/roles/{name}", tag: tagRoles,
		summary: "Remove a role", text: "Removes a role from the catalogue and takes it from everybody who has it.",
		access: bySite, scope: otl.ScopeAdmin, success: http.StatusOK, errors: []int{404}, answer: deletedOut{true},
	}, s.remove)
	route(s.Surface, operation{
		id: "assignRole", method: http.MethodPost, path: "/roles/assign", tag: tagRoles,
		summary: "Give a person a role", text: "The role is in the person's next access token of this site, and in no other site's.",
		access: bySiteOrAdmin, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404},
		request: map[string]any{"user_id": sampleUser, "role": "editor"}, answer: userRolesOut{sampleUser, []string{"editor"}},
	}, s.assign)
	route(s.Surface, operation{
		id: "assignRoleTo", method: http.MethodPost, path: "/users/{id}/roles", tag: tagRoles,
		summary: "Give one person a role", text: "The same as POST /roles/assign.",
		access: bySiteOrAdmin, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404},
		request: map[string]any{"role": "editor"}, answer: userRolesOut{sampleUser, []string{"editor"}},
	}, s.assignTo)
	route(s.Surface, operation{
		id: "unassignRole", method: http.MethodDelete, path: "/users/{id}/roles/{role}", tag: tagRoles,
		summary: "Take a role from a person", text: "The role is gone from the person's next access token. Gives the roles that are left.",
		access: bySiteOrAdmin, scope: otl.ScopeUsers, success: http.StatusOK, errors: []int{404}, answer: userRolesOut{sampleUser, []string{}},
	}, s.unassign)
}
