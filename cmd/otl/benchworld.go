package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/term"

	"github.com/onetimelogin/otl/internal/account"
	"github.com/onetimelogin/otl/internal/bench"
	"github.com/onetimelogin/otl/internal/factor"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/number"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/site"
	"github.com/onetimelogin/otl/internal/store"
)

// benchSites is how many further sites there are: with twenty endpoints each they make a
// hundred.
const benchSites = 5

// benchPassword is what everybody in a bench's world signs in with.
const benchPassword = "correct-horse-7"

// fillStep is how many people one transaction adds.
const fillStep = 2000

func benchEmail(i int) string { return fmt.Sprintf("person-%07d@bench.test", i) }

// seed fills the database that environ configures, before a server is started on
// it: a site, and the people. They share one password hash; to check it takes
// as long as if each had his own.
func (w *benchWorld) seed(ctx context.Context, environ []string, o *bench.Options) error {
	inner := &app{environ: environ, stderr: w.a.stderr}
	n, err := inner.openNode(ctx, opening{create: true, migrate: true})
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }()
	reg, err := n.Sites.Register(ctx, site.Registration{Name: "Bench", Callbacks: []string{"https://bench.test/callback"}})
	if err != nil {
		return err
	}
	if _, err := n.Accounts.Create(ctx, account.Creation{Email: benchEmail(0), Password: secret.NewText(benchPassword), Site: &reg.Site, Verified: true}); err != nil {
		return err
	}
	first, err := otl.ParseEmail(benchEmail(0))
	if err != nil {
		return err
	}
	like, err := n.Store.Read.Users.Credential(ctx, first.Key, reg.Site.ID)
	if err != nil {
		return err
	}
	if err := w.fill(ctx, n, like); err != nil {
		return err
	}
	for i := range min(w.f.users, 1000) {
		o.People = append(o.People, bench.Person{Email: benchEmail(i), Password: secret.NewText(benchPassword)})
	}
	o.SiteKey = reg.Key
	for i := range benchSites {
		further, err := n.Sites.Register(ctx, site.Registration{Name: fmt.Sprintf("Bench %d", i+1), Callbacks: []string{"https://bench.test/callback"}})
		if err != nil {
			return err
		}
		o.Sites = append(o.Sites, further.Key)
	}
	client, err := n.Clients.Create(ctx, reg.Site.ID, site.NewClient{Name: "Bench", Scopes: otl.AllScopes()})
	if err != nil {
		return err
	}
	o.Client = bench.Client{ID: client.ID, Secret: client.Secret, Subdomain: reg.Site.Slug}
	o.Second, err = w.second(ctx, n, like)
	return err
}

// secondASecond is how many people with an authenticator app are added for each second
// of a load and each processor: a third more than sign in, since a code is good once.
const secondASecond = 150

// second adds people who have an authenticator app, and the numbers that they and it have on OneLogin's wire
// from their first sign-in there on.
func (w *benchWorld) second(ctx context.Context, n *node.Node, like store.Credential) (people []bench.Person, err error) {
	numbers := number.Numbers{Store: n.Store}
	for i := range secondASecond * runtime.GOMAXPROCS(0) * min(w.f.seconds, 30) {
		p := bench.Person{Email: fmt.Sprintf("second-%07d@bench.test", i), Password: secret.NewText(benchPassword), Seed: secret.NewTOTPSeed()}
		var u otl.User
		err := n.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			if u, err = addLike(ctx, tx, like, p.Email); err == nil {
				_, err = tx.Numbers.Give(ctx, string(number.User), u.ID)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		app, err := n.Setup.Give(ctx, u, factor.Given{New: factor.New{Kind: otl.FactorTOTP}, Seed: p.Seed})
		if err != nil {
			return nil, err
		}
		if _, err := numbers.Of(ctx, number.Device, app.ID); err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	return people, nil
}

// fill adds everybody but the first, who is the pattern.
func (w *benchWorld) fill(ctx context.Context, n *node.Node, like store.Credential) error {
	bar := progress{w.a, w.f.users, time.Now()}
	for from := 1; from < w.f.users; from += fillStep {
		to := min(from+fillStep, w.f.users)
		err := n.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			for i := from; i < to; i++ {
				if _, err := addLike(ctx, tx, like, benchEmail(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		bar.show(to)
	}
	return nil
}

func addLike(ctx context.Context, tx *store.Tx, like store.Credential, email string) (u otl.User, err error) {
	u, g := like.User, like.Grant
	u.ID = secret.NewID(u.CreatedAt)
	if u.Email, err = otl.ParseEmail(email); err != nil {
		return u, err
	}
	if _, err := tx.Users.Insert(ctx, u); err != nil {
		return u, err
	}
	if err := tx.Passwords.Set(ctx, u.ID, like.Hash, false, u.CreatedAt); err != nil {
		return u, err
	}
	g.UserID = u.ID
	return u, tx.Grants.Put(ctx, g)
}

// progress shows how far a long task is, on a terminal only.
type progress struct {
	a     *app
	of    int
	begin time.Time
}

func (p progress) show(done int) {
	if p.of < 10*fillStep || !terminal(p.a.stderr) {
		return
	}
	const width = 30
	filled := width * done / p.of
	rate := float64(done) / time.Since(p.begin).Seconds()
	fmt.Fprintf(p.a.stderr, "\rFilling ▕%-*s▏ %3d %%  %d/%d  %.0f people/s", width, bars(filled), 100*done/p.of, done, p.of, rate)
	if done == p.of {
		fmt.Fprintln(p.a.stderr)
	}
}

func bars(n int) string {
	b := make([]rune, n)
	for i := range b {
		b[i] = '█'
	}
	return string(b)
}

// terminal reports whether w is a screen that somebody looks at.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
