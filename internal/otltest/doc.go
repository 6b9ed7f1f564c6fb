// Package otltest gives a test a whole server: New runs one on an engine with a
// clock of its own, Each runs a test on SQLite and on PostgreSQL.
//
// Nothing is mocked. SQLite is a file of the test, PostgreSQL a database of the
// test in the server named by OTL_TEST_POSTGRES, which `make test` starts. When
// that variable is missing, tests that need it fail and say so.
package otltest
