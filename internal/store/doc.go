// Package store holds all SQL. One text serves SQLite and PostgreSQL; the same
// methods work inside and outside a transaction.
//
// Open gives a Store. Its Read field answers single reads; Write runs a
// function in one transaction. The groups (Users, Sites, Sessions …) have one
// file and one struct each and return nouns of package otl. Times are stored as
// integer milliseconds made in Go, ids are made in Go, nothing is computed by
// the database that the two engines could compute differently.
//
// On SQLite all writes go through one connection that commits the writes of
// many callers together, so that every answer is durable (synchronous=FULL) and
// still many share one fsync. On PostgreSQL a pool is used and a transaction
// that lost a race for a lock is run again.
//
// The store knows no rules: who may do what is decided above.
package store
