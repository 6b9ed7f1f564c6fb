package main

import (
	"log/slog"
	"net/url"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/webhook"
)

// senders makes the providers of both channels that a configuration names.
func senders(c *config.Config, log *slog.Logger) (map[otl.Channel][]outbox.Sender, error) {
	p := outbox.Post{From: c.MailFrom, ReplyTo: c.MailReplyTo, Host: "localhost", Now: now, Secret: c.HookSecret}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Hostname() != "" {
		p.Host = u.Hostname()
	}
	if p.From == "" {
		p.From = "no-reply@" + p.Host
	}
	var bad []error
	if !p.Secret.Empty() && !webhook.CheckSecret(p.Secret) {
		bad = append(bad, c.Refuse("mail.webhook_secret", "must be whsec_ and base64 of 24 to 64 bytes"))
	}
	note := func(msg string, args ...any) { log.Warn(msg, args...) }
	mail, err := outbox.NewMail(c.MailURL.Reveal(), p, note)
	if err != nil {
		bad = append(bad, c.Refuse("mail.url", err.Error()))
	}
	sms, err := outbox.NewSMS(c.SMSURL.Reveal(), p, note)
	if err != nil {
		bad = append(bad, c.Refuse("sms.url", err.Error()))
	}
	if err := config.Together(bad...); err != nil {
		return nil, err
	}
	if mail, err = outbox.Cap(otl.ChannelMail, mail, c.MailCaps); err != nil {
		return nil, c.Refuse("mail.provider_caps", err.Error())
	}
	if sms, err = outbox.Cap(otl.ChannelSMS, sms, c.SMSCaps); err != nil {
		return nil, c.Refuse("sms.provider_caps", err.Error())
	}
	return map[otl.Channel][]outbox.Sender{otl.ChannelMail: mail, otl.ChannelSMS: sms}, nil
}
