// Package factor owns people's second factors: authenticator apps, codes by SMS and
// mail, passkeys and security keys, recovery codes, trusted devices. It says whether
// a second step is due, checks it, and sets factors up and takes them away.
//
// Whether a session may be opened is decided here alone, by Admit, from what is
// stored at that moment. A session cannot be opened without the Pass it gives.
package factor
