// Package native is the product's own wire: JSON under /api/v1/… and, the same
// handlers, under /api/…, described by the OpenAPI document it serves at
// /openapi.json (contract section 1).
//
// It translates, no more: routes.go lists every operation with who may call it,
// route.go takes a request through the steps they all share, fail.go is the one
// place that turns a kind of error into a status and an envelope.
package native
