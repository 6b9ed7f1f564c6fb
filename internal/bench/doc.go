// Package bench drives a running server and measures what it does: how many
// operations a second, how long each takes, what processor time and memory they
// cost the server. Beside each figure it measures, in the same run and on the
// same processors, what the machine can do at most: the bare password hash, a
// bare net/http handler, a bare fsync.
//
// It talks to the server as any client would. Starting servers and filling
// databases is the business of the command.
package bench
