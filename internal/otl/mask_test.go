package otl_test

import (
	"testing"

	"github.com/onetimelogin/otl/internal/otl"
)

func TestMasked(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "jane@dev.test": "j***@dev.test", " jane@dev.test ": "j***@dev.test", "Äsop@dev.test": "Ä***", "+491705550142": "•••• 42",
		"jane": "j***", "Jane Doe": "J***", "ć": "ć***", "Jane @home": "J***", "@": "@***", "+49": "+***",
	} {
		if got := otl.Masked(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
