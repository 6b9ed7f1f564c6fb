// Package site owns the partner's side: businesses, the sites they register,
// their callback URLs and the keys their servers call us with.
package site
