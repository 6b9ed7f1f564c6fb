package pages

// Pieces gives an address put together again from its pieces beside another, and what of it
// is marked.
func Pieces(address, other string) (whole, marked string) {
	for _, p := range pieces(address, other) {
		if whole += p.Text; p.Differ {
			marked += p.Text
		}
	}
	return whole, marked
}

// Patterns gives everything that the pages serve, as "METHOD /path".
func Patterns() []string { return New(Options{}).Patterns() }
