// Package server puts the surfaces behind one listener: the order of middleware,
// health and readiness, metrics, TLS and the graceful end. It knows no domain
// and imports no rule; a surface is an http.Handler to it, with the one function
// that writes an error in that surface's shape.
package server
