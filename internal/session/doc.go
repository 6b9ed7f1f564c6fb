// Package session owns the one way a session begins, is renewed and ends.
// Whatever the cause (a logout, an administrator, a new password, a disabled
// person, a refresh token used twice), ending a session goes through End or
// EndAll, which mark it, raise the session version and append the event in one
// transaction.
//
// It decides nothing about who may do so; the rules above it do.
package session
