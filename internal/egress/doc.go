// Package egress owns every HTTP request this server makes of its own accord. It
// decides on the address that is really dialled, so that no name, redirect or second
// answer of a DNS server leads into the network behind it (WH-08 to WH-12).
package egress
