package message

import "testing"

// TestAWordThatALanguageLacksIsSaidInEnglish, key by key: the others stay in the language.
func TestAWordThatALanguageLacksIsSaidInEnglish(t *testing.T) {
	t.Parallel()
	v := Voice{"de", map[string]string{"yes": "Ja, {site}"}, map[string]string{"yes": "Yes, {site}", "no": "No, {site}"}, map[string]string{"site": "Notes"}}
	if yes, no := v.Say("yes"), v.Say("no"); yes != "Ja, Notes" || no != "No, Notes" {
		t.Errorf("%q %q", yes, no)
	}
}
