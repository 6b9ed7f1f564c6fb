// Package pages is what a browser sees: today the front page and the
// documentation that is embedded in the program.
package pages
