// Package message owns what is written to people: which messages there are, their
// words in every language, and how they look as mail and as SMS. It queues them
// in the transaction of what they tell of; package outbox sends them.
package message
