// Package limit owns how often something may be tried: rates of requests, and
// what follows from proofs that fail.
//
// Rates that guard a secret live in the store and are shared by all nodes. The
// rate that only guards the machine lives in memory; on PostgreSQL nodes take
// their shares of it from the store.
package limit
