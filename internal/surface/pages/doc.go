// Package pages is what a browser sees: the hosted pages, on which people prove who
// they are and say what a site may see, the front page, and the documentation that is
// embedded in the program. Every page works without scripts; those there are save a
// press.
package pages
