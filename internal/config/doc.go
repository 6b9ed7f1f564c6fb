// Package config turns flags, environment and one YAML file into one struct.
// There is one table of keys (keys.go): names, defaults, meaning and checks all
// come from it, and so do `otl config show`, `otl config explain` and
// docs/configuration.md.
//
// The order is: built-in default, file, environment, flag; the later wins.
// Unknown keys are refused with a suggestion. A secret may also be given as the
// path of a file, in OTL_X_FILE.
package config
