package bench

import (
	"context"
	"slices"
	"time"
)

// turns is how often a load that hashes passwords takes turns with the bare hash. The speed
// of a machine drifts, of one shared with others most of all: what a load comes to of a limit
// says something only where both were measured in the same seconds.
const turns = 4

// hashing measures what hashes passwords in turns with the bare hash, and gives the rate of
// that as the limit. Each turn has workers of its own.
func (r *run) hashing(ctx context.Context, name string, made func() ([]worker, error)) (Result, error) {
	var all, raw load
	var spent, took time.Duration
	var mem float64
	for range turns {
		raw.join(rawHash(ctx, r.Hash, r.Duration/(2*turns)))
		workers, err := made()
		if err != nil {
			return Result{}, err
		}
		before, err := r.used(ctx)
		if err != nil {
			return Result{}, err
		}
		begin := time.Now()
		all.join(drive(ctx, workers, r.Duration/turns))
		took += time.Since(begin)
		after, err := r.used(ctx)
		if err != nil {
			return Result{}, err
		}
		spent, mem = spent+after.cpu-before.cpu, after.mem
	}
	raw.join(rawHash(ctx, r.Hash, r.Duration/(2*turns)))
	res, err := weighed(name, all, spent, mem, took)
	r.rawHash, res.Connections = raw.rate(), loginConnections
	res.limit("hash", r.rawHash)
	return res, err
}

// join adds what a later turn did.
func (l *load) join(o load) {
	l.took += o.took
	l.good = append(l.good, o.good...)
	l.refused = append(l.refused, o.refused...)
	l.failed += o.failed
	if l.err == nil {
		l.err = o.err
	}
	slices.Sort(l.good)
	slices.Sort(l.refused)
}
