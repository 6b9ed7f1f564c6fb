package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/onetimelogin/otl/internal/demo"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/site"
)

// Ports of the demo sites, whose callback URLs are registered in every development
// world. Where one is taken, a free one is used and registered as long as it runs.
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

// listenDemos opens the ports of the demo sites and sees to it that the server sends
// people back there.
func listenDemos(ctx context.Context, n *node.Node, w world) (demoSites, error) {
	d := demoSites{notes: &demoSite{site: w.notes}, shop: &demoSite{site: w.shop}}
	for s, port := range map[*demoSite]int{d.notes: notesPort, d.shop: shopPort} {
		if err := s.listen(ctx, n, port); err != nil {
			return d, errors.Join(err, d.close(n))
		}
	}
	return d, nil
}

func (s *demoSite) listen(ctx context.Context, n *node.Node, port int) (err error) {
	if s.ln, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
		if s.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("open a port for the demo site %s: %w", s.site.Site.Name, err)
		}
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
