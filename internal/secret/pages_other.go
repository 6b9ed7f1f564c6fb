//go:build !linux

package secret

// Elsewhere the system decides by itself.
const hasHugePages = false

func adviseHuge([]byte) error { return nil }
