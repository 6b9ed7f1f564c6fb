// Package node puts one running node of an installation together: store,
// installation, rules, surfaces, server and the jobs that run beside them. It is
// the only place where they are wired, for the program and for tests alike; what
// it does not own is where its options come from.
package node
