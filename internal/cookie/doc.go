// Package cookie writes and reads the cookies of this server, whichever surface
// does: one place for their names and flags (SE-03, decision D8).
package cookie
