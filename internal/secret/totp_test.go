package secret_test

import (
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/secret"
)

// rfcSeed is the seed of the vectors of RFC 6238 appendix B (SHA-1).
const rfcSeed = "12345678901234567890"

func TestMF01_TheCodesOfRFC6238(t *testing.T) {
	t.Parallel()
	seed := secret.NewText(rfcSeed)
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := secret.TOTP(seed, time.Unix(at, 0)); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestMF01_AuthenticatorAppsAgree(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("oathtool"); err != nil {
		t.Fatal("this test needs oathtool: run it by `make test`, which installs it")
	}
	for i := range 20 {
		seed, at := secret.NewTOTPSeed(), time.Unix(1_800_000_000+int64(i)*977, 0)
		shown := secret.EncodeTOTPSeed(seed).Reveal()
		out, err := exec.CommandContext(t.Context(), "oathtool", "--totp", "-b", "-N", at.UTC().Format("2006-01-02 15:04:05 UTC"), shown).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := secret.TOTP(seed, at); got != strings.TrimSpace(string(out)) {
			t.Errorf("%s at %s: %s, oathtool says %s", shown, at, got, out)
		}
	}
}

func TestMF01_AStepBeforeAndAfterAreAccepted(t *testing.T) {
	t.Parallel()
	seed, now := secret.NewTOTPSeed(), time.Unix(1_800_000_000, 0) // a multiple of 30
	present := now.Unix() / 30
	for _, c := range []struct {
		off  time.Duration
		want bool
	}{
		{-31 * time.Second, false}, {-30 * time.Second, true}, {-time.Second, true}, {0, true}, {29 * time.Second, true}, {59 * time.Second, true}, {60 * time.Second, false},
	} {
		at := now.Add(c.off)
		step, ok := secret.MatchTOTP(seed, secret.NewText(secret.TOTP(seed, at)), now)
		if ok != c.want || ok && step != at.Unix()/30 {
			t.Errorf("a code of %s: %v, step %d of %d", c.off, ok, step, present)
		}
	}
	for _, wrong := range []string{"", "0", "12345", "1234567", "abcdef", secret.TOTP(seed, now) + " "} {
		if _, ok := secret.MatchTOTP(seed, secret.NewText(wrong), now); ok {
			t.Errorf("%q was accepted", wrong)
		}
	}
}

func TestMF01_SeedsHave160BitsAndAreReadAsTheyAreShown(t *testing.T) {
	t.Parallel()
	seed := secret.NewTOTPSeed()
	if n := len(seed.Reveal()); n != 20 {
		t.Errorf("a seed has %d bytes", n)
	}
	shown := secret.EncodeTOTPSeed(seed).Reveal()
	for _, typed := range []string{shown, strings.ToLower(shown), shown[:4] + " " + shown[4:], shown + "===="} {
		if got, err := secret.ParseTOTPSeed(typed); err != nil || got.Reveal() != seed.Reveal() {
			t.Errorf("%q is read as another seed: %v", typed, err)
		}
	}
	for _, bad := range []string{"", "A", "1", "JBSWY3DPEHPK3PXP", strings.Repeat("A", 200), "JBSWY3DP!!!!!!!!JBSWY3DPEHPK3PXP"} {
		if _, err := secret.ParseTOTPSeed(bad); err == nil {
			t.Errorf("%q is taken for a seed", bad)
		}
	}
}

func TestTOTPLink(t *testing.T) {
	t.Parallel()
	link := secret.TOTPLink(secret.NewText(rfcSeed), "One: Time & Login", "jane+x@example.com").Reveal()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/One  Time & Login:jane+x@example.com" || strings.Contains(link, " ") {
		t.Errorf("the link is %s", link)
	}
	if q := u.Query(); q.Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || q.Get("issuer") != "One  Time & Login" {
		t.Errorf("its query is %v", q)
	}
}

func FuzzParseTOTPSeed(f *testing.F) {
	f.Add("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	f.Add("gezd gnbv gy3t qojq gezd gnbv gy3t qojq")
	f.Add("====")
	f.Fuzz(func(t *testing.T, s string) {
		seed, err := secret.ParseTOTPSeed(s)
		if err != nil {
			return
		}
		again, err := secret.ParseTOTPSeed(secret.EncodeTOTPSeed(seed).Reveal())
		if err != nil || again.Reveal() != seed.Reveal() {
			t.Errorf("%q is read as a seed that is not read again", s)
		}
	})
}
