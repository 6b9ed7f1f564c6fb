package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/limit"
	"github.com/onetimelogin/otl/internal/message"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/outbox"
	"github.com/onetimelogin/otl/internal/secret"
)

// trialJSON is what one provider said of a message that tries it, as commands print it.
type trialJSON struct {
	Provider string `json:"provider"`
	Taken    bool   `json:"taken"`
	Problem  string `json:"problem"` // "" where it was taken
}

func messagesTest(a *app) *cobra.Command {
	var locale string
	c := &cobra.Command{
		Use: "test ADDRESS|NUMBER", Short: "Send a message by each configured provider and say what each answers", Args: cobra.ExactArgs(1),
		Long: "Sends a mail, or an SMS to a number such as +491705550100, at once and by each provider that mail.url or\n" +
			"sms.url names, and prints what each says: also by those that would be asked only where another one fails.\n" +
			"No database is opened, and nothing is tried twice. That a provider takes a message does not say that it arrives.",
		Example: "  OTL_MAIL_URL=smtp://mail.example.com otl messages test jane@example.com",
		RunE: func(c *cobra.Command, args []string) error {
			conf, err := a.load(nil, nil)
			if err != nil {
				return err
			}
			one, err := trial(conf, args[0])
			if err != nil {
				return err
			}
			one.Locale = locale
			providers, err := senders(conf, a.logger(conf, new(slog.LevelVar)))
			if err != nil {
				return err
			}
			if len(providers[one.Channel]) == 0 {
				return conf.Refuse(map[otl.Channel]string{otl.ChannelMail: "mail.url", otl.ChannelSMS: "sms.url"}[one.Channel], "names nobody who would deliver the message")
			}
			out, err := try(c.Context(), conf, providers[one.Channel], one)
			if err != nil {
				return err
			}
			return printTrials(a, out)
		},
	}
	c.Flags().StringVar(&locale, "locale", "en", "language of the message, such as de")
	return c
}

// trial gives the message that tries the way to an address or a number.
func trial(c *config.Config, to string) (otl.Message, error) {
	one := otl.Message{Kind: otl.MessageTest, Channel: otl.ChannelMail, CreatedAt: now()}
	if strings.Contains(to, "@") {
		e, err := otl.ParseEmail(to)
		one.Recipient = e.Address
		return one, err
	}
	number, err := otl.ParsePhone(to)
	if err == nil && !(limit.SMS{Numbers: c.SMSCountries}).Covers(number) {
		err = c.Refuse("sms.countries", "does not let SMS go to this number")
	}
	one.Channel, one.Recipient = otl.ChannelSMS, number
	return one, err
}

// try hands a message to every provider, each time with an id of its own: one that comes twice would
// be shown once.
func try(ctx context.Context, c *config.Config, providers []outbox.Sender, one otl.Message) ([]trialJSON, error) {
	writer, out := &message.Messages{}, []trialJSON{}
	if u, err := url.Parse(c.PublicURL); err == nil {
		writer.Host = u.Hostname()
	}
	for _, p := range providers {
		one.ID = "msg_" + secret.NewID(now())
		l, err := writer.Write(one, "OneTimeLogin")
		if err != nil {
			return nil, err
		}
		said := trialJSON{Provider: p.Name(), Taken: true}
		if err := outbox.Give(ctx, p, l); err != nil {
			said.Taken, said.Problem = false, oneLine(err.Error())
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out = append(out, said)
	}
	return out, nil
}

// printTrials prints what providers said; the error is findings where not all took the message.
func printTrials(a *app, all []trialJSON) error {
	failed := 0
	for _, one := range all {
		if !one.Taken {
			failed++
		}
	}
	err := a.print(map[string]any{"data": all}, func() {
		table(a.stdout, []string{"PROVIDER", "SAYS"}, all, func(t trialJSON) []string {
			if t.Taken {
				return []string{t.Provider, "taken"}
			}
			return []string{t.Provider, t.Problem}
		})
	})
	if err == nil && failed > 0 {
		err = findings{fmt.Sprintf("not taken by %d of %d providers", failed, len(all))}
	}
	return err
}
