// Package oidc makes the server an OpenID provider (OpenID Connect Core 1.0, RFC 6749,
// 7009, 7662, 8414, 9207, RP-Initiated Logout 1.0) for the clients of sites. It
// translates: who somebody is and what a site may see is found out by a visit to the
// hosted pages. The token endpoint is surface/transmit's: one for all wires.
package oidc
