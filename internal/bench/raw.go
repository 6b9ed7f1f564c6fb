package bench

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/onetimelogin/otl/internal/secret"
)

// hasher computes password hashes with nothing around them.
type hasher struct{ cost secret.Argon2 }

func (h hasher) step() (bool, error) {
	argon2.IDKey([]byte("correct-horse-7"), make([]byte, 16), h.cost.Time, h.cost.Memory, h.cost.Threads, 32)
	return true, nil
}

func (hasher) close() {}

// rawHash measures how many password hashes of a cost all processors compute in
// a second.
func rawHash(ctx context.Context, cost secret.Argon2, d time.Duration) load {
	var workers []worker
	for range runtime.GOMAXPROCS(0) {
		workers = append(workers, hasher{cost})
	}
	return drive(ctx, workers, d)
}

// Fsync measures what it takes to bring 4 KiB at the end of a file in a
// directory to disk: the median of many.
func Fsync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	var all []time.Duration
	for begin := time.Now(); len(all) < 300 && time.Since(begin) < time.Second; {
		one := time.Now()
		_, err := f.Write(block)
		if err := errors.Join(err, f.Sync()); err != nil {
			return 0, err
		}
		all = append(all, time.Since(one))
	}
	slices.Sort(all)
	return quantile(all, 0.5), nil
}

// ServeBare answers every request with a small JSON document and does nothing
// else: the most that net/http gives on this machine. It ends with ctx.
func ServeBare(ctx context.Context, ln net.Listener) error {
	body := []byte(`{"active":true,"sub":"01HKZ3M5Q8J9X2V7C4B6N1D0FG","sid":"01HKZ4C9F2G5H8J1L3N6Q7R0ST","session_version":7}` + "\n")
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
