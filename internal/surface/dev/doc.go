// Package dev owns what only `otl dev` serves: the inbox that mails and SMS end up
// in, a catcher of webhooks, and a clock that can be moved. None of it is there under `otl serve`.
package dev
