// Package once owns acts that are asked for again: a caller who got no answer
// repeats his request under the same key and gets the answer to the first one
// (HT-14). What is done, and in which transaction, is the business of the rules;
// they hand the result to store.Answers.Keep.
package once
