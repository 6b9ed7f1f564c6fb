package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/demo"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/site"
)

// Ports of the demo sites, whose callback URLs are registered in every development
// world. Where one is taken, a free one is used and registered as long as it runs; the next start
// takes it again, if it can.
const (
	notesPort = 8788
	shopPort  = 8789
)

// demoSite is one of the demo sites as `otl dev` runs it.
type demoSite struct {
	site     site.Registered
	url      string
	callback string
	endpoint string // id of the webhook endpoint, "" for none
	extra    bool   // callback URL and endpoint are registered for this run alone
	ln       net.Listener
	srv      *http.Server
}

// demoSites are the two.
type demoSites struct{ notes, shop *demoSite }

func (d demoSites) all() []*demoSite { return []*demoSite{d.notes, d.shop} }

// callbackLine is a line of dev.env that says where a demo site was.
var callbackLine = regexp.MustCompile(`(?m)^(OTL_(?:SITE2_)?CALLBACK_URL)='http://localhost:(\d{1,5})` + callbackPath + `'$`)

// demoPorts gives the ports of the demo sites by the name of their line in the environment that an earlier start
// wrote, none where there is no such file.
func demoPorts(envFile string) map[string]int {
	out := map[string]int{}
	raw, err := os.ReadFile(envFile)
	if err != nil {
		return out
	}
	for _, line := range callbackLine.FindAllSubmatch(raw, -1) {
		if port, err := strconv.Atoi(string(line[2])); err == nil && port > 0 {
			out[string(line[1])] = port
		}
	}
	return out
}

// listenDemos opens the ports of the demo sites, those of the start before if nobody else has them now, and sees to it that
// the server sends people back there.
func listenDemos(ctx context.Context, n *node.Node, w world, before map[string]int) (demoSites, error) {
	d := demoSites{notes: &demoSite{site: w.notes}, shop: &demoSite{site: w.shop}}
	for _, one := range []struct {
		site        *demoSite
		own, former int
	}{{d.notes, notesPort, before["OTL_CALLBACK_URL"]}, {d.shop, shopPort, before["OTL_SITE2_CALLBACK_URL"]}} {
		if err := one.site.listen(ctx, n, one.own, one.former); err != nil {
			return d, errors.Join(err, d.close(n))
		}
	}
	return d, nil
}

func (s *demoSite) listen(ctx context.Context, n *node.Node, port, former int) (err error) {
	for _, one := range []int{cmp.Or(former, port), port, 0} { // 0 is any that is free
		if s.ln, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(one))); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("open a port for the demo site %s: %w", s.site.Site.Name, err)
	}
	at, _ := s.ln.Addr().(*net.TCPAddr)
	s.url = "http://localhost:" + strconv.Itoa(at.Port)
	s.callback, s.extra = s.url+callbackPath, at.Port != port
	if !s.extra {
		return nil
	}
	return n.Sites.AddCallback(ctx, s.site.Site.ID, s.callback)
}

// serve runs the demo sites beside a server that answers, and lets them register where
// they hear of changes. A site that cannot still signs people in.
func (d demoSites) serve(ctx context.Context, base string, now func() time.Time, log *slog.Logger) {
	for _, s := range d.all() {
		one := demo.New(demo.Options{
			Name: s.site.Site.Name, ID: s.site.Site.ID, Key: s.site.Key, Server: base, Own: s.url, Callback: s.callback, Now: now, Log: log,
			Try: demo.Guest{Name: userEmail, Password: userPassword},
		})
		s.srv = &http.Server{Handler: one, ReadHeaderTimeout: 5 * time.Second}
		go func() {
			if err := s.srv.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
				log.Error("demo site", "site", s.site.Site.Name, "err", err)
			}
		}()
		var err error
		if s.endpoint, err = one.Join(ctx); err != nil {
			log.Warn("the demo site hears of no changes", "site", s.site.Site.Name, "err", err)
		}
	}
}

// close stops the demo sites and takes back what was registered for this run.
func (d demoSites) close(n *node.Node) error {
	var all []error
	for _, s := range d.all() {
		switch {
		case s == nil || s.ln == nil:
			continue
		case s.srv != nil:
			all = append(all, s.srv.Close())
		default:
			all = append(all, s.ln.Close())
		}
		if s.extra {
			all = append(all, n.Sites.RemoveCallback(context.Background(), s.site.Site.ID, s.callback))
			if s.endpoint != "" {
				all = append(all, n.Webhooks.Delete(context.Background(), s.site.Site.ID, s.endpoint))
			}
		}
	}
	return errors.Join(all...)
}
