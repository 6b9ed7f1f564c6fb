// Package docs embeds the documentation, so that the program that runs serves
// the pages that fit it.
package docs

import "embed"

// Files are the documents in Markdown.
//
//go:embed *.md adr/*.md
var Files embed.FS
