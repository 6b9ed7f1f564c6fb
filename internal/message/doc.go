// Package message queues what people are told: a message is a row written in the
// transaction of what it tells of, so that neither is there without the other.
// Its data is sealed until it is sent, because it may hold a one-time secret.
package message
