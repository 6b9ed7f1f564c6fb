package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// buildTime bounds what a clone and a build without any cache may take.
const buildTime = 8 * time.Minute

// clone is a fresh clone of the last commit, with bin/otl built in it.
var clone = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	dir := filepath.Join(scratch, "clone")
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	if _, err := command(ctx, root, "git", "clone", "--quiet", root, dir); err != nil {
		return "", err
	}
	_, err = command(ctx, dir, "make", "build")
	return dir, err
})

// command runs a program in a directory and gives what it wrote.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func cloned(t testing.TB) string {
	t.Helper()
	need(t, "git", "make", "go", "bash")
	dir, err := clone()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBuildLeavesCloneClean builds a fresh clone: afterwards git has nothing to
// say.
func TestBuildLeavesCloneClean(t *testing.T) {
	t.Parallel()
	out, err := command(t.Context(), cloned(t), "git", "status", "--porcelain")
	if err != nil {
		t.Fatal(err)
	}
	if out != "" {
		t.Errorf("git status after make build:\n%s", out)
	}
}

// TestFirstFiveMinutes does what a newcomer does: clone, build, start, sign in,
// refresh, look at the sessions and end one.
func TestFirstFiveMinutes(t *testing.T) {
	t.Parallel()
	program, dir := filepath.Join(cloned(t), "bin", "otl"), t.TempDir()
	server := dev(t, program, dir)
	env := sourced(t, dir)
	c := newClient(t, env["OTL_URL"], env["OTL_SITE_KEY"])

	var first, second login
	must(t, http.StatusOK)(c.login(env["OTL_USER_EMAIL"], env["OTL_USER_PASSWORD"])).into(&first)
	if first.Refresh == "" || first.User.ID != env["OTL_USER_ID"] {
		t.Fatalf("login answered %+v", first)
	}
	said := verified(t, c, first.Access)
	if said.Issuer != env["OTL_URL"] || said.Audience != env["OTL_SITE_ID"] || said.Subject != env["OTL_USER_ID"] || said.Expires <= time.Now().Unix() {
		t.Errorf("the access token says %+v", said)
	}
	must(t, http.StatusOK)(c.refresh(first.Refresh)).into(&second)
	if verified(t, c, second.Access).Session != said.Session || second.Refresh == first.Refresh {
		t.Error("a refresh did not go on with the session under a new token")
	}
	ids, list, err := c.sessions(env["OTL_USER_ID"])
	must(t, http.StatusOK)(list, err)
	if !ids[said.Session] {
		t.Errorf("the sessions %v are without %s", ids, said.Session)
	}
	must(t, http.StatusOK)(c.do(http.MethodGet, "/api/users/me", second.Access, nil))
	must(t, http.StatusOK)(c.do(http.MethodDelete, "/api/sessions/"+said.Session, second.Access, nil))
	must(t, http.StatusUnauthorized)(c.do(http.MethodGet, "/api/users/me", second.Access, nil))
	must(t, http.StatusUnauthorized)(c.refresh(second.Refresh))
	server.stop(t)

	// What was written down at the first start is still true after a second.
	server = dev(t, program, dir)
	defer server.stop(t)
	again := sourced(t, dir)
	if again["OTL_SITE_KEY"] != env["OTL_SITE_KEY"] || again["OTL_USER_ID"] != env["OTL_USER_ID"] {
		t.Error("a second start on the same directory made other keys or people")
	}
}

// verified checks an access token as a partner's service would, with the
// published keys and nothing of ours, and gives what it says.
func verified(t testing.TB, c *client, access string) claims {
	t.Helper()
	part := strings.Split(access, ".")
	if len(part) != 3 {
		t.Fatalf("an access token of %d parts", len(part))
	}
	decode := base64.RawURLEncoding.DecodeString
	var header struct{ Alg, Kid, Typ string }
	raw, err := decode(part[0])
	if err != nil || json.Unmarshal(raw, &header) != nil || header.Alg != "ES256" || header.Typ != "at+jwt" {
		t.Fatalf("the header of the access token is %s (%v)", raw, err)
	}
	var set struct {
		Keys []struct{ Kid, Kty, Crv, Alg, Use, X, Y string }
	}
	must(t, http.StatusOK)(c.do(http.MethodGet, "/.well-known/jwks.json", "", nil)).into(&set)
	for _, k := range set.Keys {
		if k.Kid != header.Kid || k.Kty != "EC" || k.Crv != "P-256" || k.Alg != header.Alg || k.Use != "sig" {
			continue
		}
		x, errX := decode(k.X)
		y, errY := decode(k.Y)
		signature, errS := decode(part[2])
		key, errK := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if errX != nil || errY != nil || errS != nil || errK != nil || len(signature) != 64 {
			t.Fatalf("key or signature cannot be read: %v %v %v %v", errX, errY, errS, errK)
		}
		sum := sha256.Sum256([]byte(part[0] + "." + part[1]))
		if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			t.Fatal("the signature of the access token is wrong")
		}
		said, err := read(access)
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	t.Fatalf("the key %q of the access token is not published", header.Kid)
	return claims{}
}
