// Package account owns the person: how he is registered, what a good password
// and a good profile are, what he grants a site to see, and what becomes of him
// when he is disabled.
package account
