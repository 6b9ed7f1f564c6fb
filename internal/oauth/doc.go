// Package oauth owns how programs of sites show in an HTTP request who they are (RFC 6749
// section 2.3, RFC 7523) and which key they hold (RFC 9449). Whether they are believed is
// decided by the rules below; how an error is worded is the surfaces' business.
package oauth
