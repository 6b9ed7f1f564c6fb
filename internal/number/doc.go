// Package number gives integers to what we know by ids, for wires whose clients
// read an id into an int (contract 5 A15).
package number
