// Package transmit speaks the wire of Transmit Security's one-time login (seed
// 002, contract section 3), so that clients written for it work unchanged. It
// translates: what a code, a session or a client is, is decided below.
package transmit
