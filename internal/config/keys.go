package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/secret"
	"github.com/onetimelogin/otl/internal/token"
)

// keys is the one table of everything that can be configured.
func (c *Config) keys() []Key {
	all := []Key{
		key("public_url", "", "Address people and sites reach this server at: issuer of tokens, base of links. The one thing to set in production.", publicURL(&c.PublicURL)),
		flagged("listen", key("listen", "127.0.0.1:8787", "Address to listen on, host:port or unix:/path. A public one needs public_url.", listener(&c.Listen))),
		key("admin_listen", "127.0.0.1:9464", "Address of /metrics and /debug/pprof; empty switches it off.", unlessEmpty(&c.AdminListen, listener)),
		key("admin_hosts", "", "Names, comma-separated, that admin_listen is reached by, besides addresses and localhost: what scrapes it by another name gets a 421.", hostNames(&c.AdminHosts)),
		flagged("data", key("data_dir", "./otl-data", "Directory of the SQLite database and the generated master key.", someText(&c.DataDir))),
		concealed(key("database_url", "", "postgres://… for PostgreSQL, sqlite:PATH for another file; empty for otl.db in data_dir.", databaseURL(&c.DatabaseURL))),
		key("db.max_conns", "0", "PostgreSQL connections; 0 means 4 for each processor.", number(&c.DBMaxConns, 0, 10000)),
		key("auto_migrate", "true", "Bring an older database to the newest schema at start.", boolean(&c.AutoMigrate)),
		concealed(key("secret_key", "", "Master key, 32 random bytes in base64; empty for one generated in data_dir. Keep a copy: without it the database cannot be opened.", masterKey(&c.SecretKey))),
		concealed(key("secret_key_previous", "", "The master key that secret_key replaces; needed once, at the next start.", masterKey(&c.SecretKeyPrevious))),
		key("tls.cert", "", "Certificate file; empty to serve http, behind a proxy that ends TLS.", text(&c.TLSCert)),
		key("tls.key", "", "Private key file of tls.cert.", text(&c.TLSKey)),
		key("trusted_proxies", "", "Networks, comma-separated, whose X-Forwarded-For is believed; unix for the peers of a unix socket.", proxies(&c.TrustedProxies, &c.TrustedSocket)),
		key("connections.total", "10000", "Connections open at once; beyond that an idle one is closed for a new one. The process needs as many open files.", number(&c.ConnsTotal, 100, 1000000)),
		key("connections.per_address", "500", "The same from one IPv4 address or one /64 of IPv6. Trusted proxies count in the total alone; rate_limits off lifts it.", number(&c.ConnsAddress, 10, 1000000)),
		key("drain_delay", "5s", "How long /readyz says 503 before a stopping server takes no more requests.", duration(&c.DrainDelay, 0, 5*time.Minute)),
		key("access_ttl", "30m", "Life of an access token; may only be lowered.", duration(&c.AccessTTL, time.Second, 30*time.Minute)),
		key("refresh_ttl", "720h", "Life of a refresh token, from the latest refresh; may only be lowered.", duration(&c.RefreshTTL, time.Second, 720*time.Hour)),
		key("session_max_age", "2160h", "Life of a session, however often it is refreshed.", duration(&c.SessionMaxAge, time.Second, 8760*time.Hour)),
		key("refresh_reuse_grace", "10s", "How long an exchanged refresh token still gets its unused successor; 0 switches it off.", duration(&c.RefreshGrace, 0, 10*time.Second)),
		key("session_limit", "50", "Live sessions of one person on one site; the oldest makes room.", number(&c.SessionLimit, 1, 1000)),
		key("jwt.alg", "ES256", "Algorithm of access tokens: ES256, EdDSA or RS256.", algorithm(&c.Algorithm)),
		key("key_rotation", "2160h", "How long one signing key signs.", duration(&c.KeyRotation, 25*time.Hour, 8760*time.Hour)),
		key("code.ttl", "5m", "Life of a one-time code.", duration(&c.CodeTTL, 30*time.Second, 10*time.Minute)),
		key("link.ttl", "15m", "Life of a one-time link.", duration(&c.LinkTTL, time.Minute, 15*time.Minute)),
		key("code.length", "6", "Digits of a one-time code.", number(&c.CodeLength, 6, 10)),
		key("code.max_tries", "5", "Wrong guesses that make a one-time code worthless; may only be lowered.", number(&c.CodeTries, 1, 5)),
		key("rate_limits", "on", "off lifts request limits and lockouts, for load programs; not with an https public_url.", switchable(&c.RateLimits)),
		key("argon2", secret.DefaultArgon2().String(), "Cost of new password hashes; never weaker than the default.", argon2(&c.Argon2)),
		key("hash_concurrency", "0", "Password hashes computed at once; 0 means one for each processor.", number(&c.HashConcurrency, 0, 1024)),
		key("password_blocklist", "", "File of further passwords to refuse, one a line.", text(&c.PasswordBlocklist)),
		concealed(key("mail.url", "", "Who delivers mail: smtp://user:password@host:587, smtps://…, webhook:https://…, dir:/path, or log: to be told in the log alone; empty for nobody, and whoever asks for a mail is told so. Several, separated by blanks: the next one when one fails.", hiddenText(&c.MailURL))),
		key("mail.from", "", "Address mails come from; no-reply at the host of public_url if empty.", unlessEmpty(&c.MailFrom, address)),
		key("mail.reply_to", "", "Address answers to mails go to; empty for none.", unlessEmpty(&c.MailReplyTo, address)),
		key("mail.minute_cap", "600", "Mails in a minute for one site that somebody asks for by an address alone: codes, links, new passwords, invitations.", number(&c.MailMinute, 1, 60000)),
		key("mail.daily_cap", "20000", "The same in a day: so many at once at most, which 24 hours fill up again evenly.", number(&c.MailDaily, 1, 80000000)),
		key("mail.provider_caps", "", "Mails in a day (UTC) that each provider of mail.url is handed, comma-separated in their order, counted over all nodes; 0 or none for no bound. The next one takes what is beyond; together they bound the installation. A provider keeps its count wherever it stands, until its URL is another but for the password.", counts(&c.MailCaps)),
		key("mail.operator", "", "Address that hears of what an operator should look at, such as SMS that were stopped; empty for none.", unlessEmpty(&c.Operator, address)),
		concealed(key("mail.webhook_secret", "", "Signs what webhook: providers of mail and SMS are sent, by Standard Webhooks: whsec_ and base64 of 24 to 64 bytes; empty for no signature.", hiddenText(&c.HookSecret))),
		concealed(key("sms.url", "", "Who delivers SMS: twilio://SID:TOKEN@?from=NUMBER, vonage://KEY:SECRET@?from=SENDER, webhook:https://…, dir:/path or log:; empty for nobody.", hiddenText(&c.SMSURL))),
		key("sms.countries", "", "Calling codes SMS are sent to, comma-separated, such as 49,43; * for all. None until some are named; premium ranges have to be named themselves.", callingCodes(&c.SMSCountries)),
		key("sms.daily_cap", "200", "SMS a day for one site: so many at once at most, which 24 hours fill up again evenly; apart from codes of second factors, of which there are as many again.", number(&c.SMSDailyCap, 1, 1000000)),
		key("sms.provider_caps", "", "The same of the providers of sms.url, codes of second factors too.", counts(&c.SMSCaps)),
		key("onelogin.strict_subdomain", "auto", "Whether OneLogin's wire takes only the subdomain of the site that calls: true, false, or auto: where there are several sites.", oneOf(&c.StrictSubdomain, "auto", "true", "false")),
		key("onelogin.host_in_path", "false", "Serve OneLogin's wire below /<name>.onelogin.com/ too, for clients whose host cannot be set otherwise.", boolean(&c.HostInPath)),
		key("egress.allow", "", "Networks, comma-separated, of your own that sites may name as receivers of webhooks; public addresses need no entry. Any other address \"leads to no address that this server may call\".", prefixes(&c.EgressAllow)),
		key("egress.ports", "443,8443", "Ports, comma-separated, that sites may name in the address of a receiver.", ports(&c.EgressPorts)),
		key("audit.retention", "0", "How long the log of events is kept, such as 400d; 0 for ever. At least 31d, because deliveries of webhooks are kept for 30.", retention(&c.AuditRetention)),
		key("audit.address_retention", "90d", "How long the log of events and sessions say from which address and with which browser somebody came; 0 as long as they are kept. At least 31d.", retention(&c.AddressRetention)),
		key("pages.help_url", "", "Where whoever is in trouble on a page of the server itself finds help: an https address, or mailto:. Pages on behalf of a site have the site's links.", unlessEmpty(&c.Foot.Help, page)),
		key("pages.privacy_url", "", "Where people read what becomes of their data.", unlessEmpty(&c.Foot.Privacy, page)),
		key("pages.terms_url", "", "Where people read on what terms they use the server.", unlessEmpty(&c.Foot.Terms, page)),
		key("log.level", "info", "debug, info, warn or error.", oneOf(&c.LogLevel, "debug", "info", "warn", "error")),
		key("log.format", "auto", "text, json or auto: text on a terminal.", oneOf(&c.LogFormat, "auto", "text", "json")),
		key("log.pii", "mask", "Addresses in the log: mask (network only), full or none.", oneOf(&c.LogPII, "mask", "full", "none")),
	}
	return all
}

func key(path, def, help string, set func(string) error) Key {
	return Key{Path: path, Env: "OTL_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_")), Default: def, Help: help, set: set}
}

func concealed(k Key) Key {
	k.Secret = true
	return k
}

func flagged(name string, k Key) Key {
	k.Flag = name
	return k
}

func text(dst *string) func(string) error {
	return func(s string) error { *dst = s; return nil }
}

// callingCodes takes calling codes, or * for all of them.
func callingCodes(dst *[]string) func(string) error {
	return func(s string) error {
		var out []string
		for _, one := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
			code := strings.TrimPrefix(one, "+")
			if n, err := strconv.Atoi(code); one != "*" && (err != nil || n < 1 || len(code) > 7) {
				return errors.New("must be calling codes such as 49,43, or *")
			}
			out = append(out, code)
		}
		*dst = out
		return nil
	}
}

// counts takes numbers from 0 up, in their places: one that is missing is 0.
func counts(dst *[]int) func(string) error {
	return func(s string) error {
		var out []int
		for one := range strings.SplitSeq(s, ",") {
			n, err := strconv.Atoi(cmp.Or(strings.TrimSpace(one), "0"))
			if err != nil || n < 0 || n > 80000000 {
				return errors.New("must be whole numbers such as 5000,500, with nothing between commas for no bound")
			}
			out = append(out, n)
		}
		if *dst = out; strings.TrimSpace(s) == "" {
			*dst = nil
		}
		return nil
	}
}

// hostNames takes names of hosts, without ports.
func hostNames(dst *[]string) func(string) error {
	return func(s string) error {
		all := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
		if slices.ContainsFunc(all, func(one string) bool { return strings.ContainsAny(one, ":/*[]@") }) {
			return errors.New("must be names without ports, such as otl,otl.internal")
		}
		*dst = all
		return nil
	}
}

// hiddenText takes a text that holds a secret.
func hiddenText(dst *secret.Text) func(string) error {
	return func(s string) error { *dst = secret.NewText(strings.TrimSpace(s)); return nil }
}

// address takes an e-mail address.
func address(dst *string) func(string) error {
	return func(s string) error {
		e, err := otl.ParseEmail(s)
		if err != nil {
			return errors.New("must be one e-mail address, such as no-reply@example.com")
		}
		*dst = e.Address
		return nil
	}
}

func someText(dst *string) func(string) error {
	return func(s string) error {
		if s == "" {
			return errors.New("must not be empty")
		}
		*dst = s
		return nil
	}
}

// unlessEmpty lets a key be empty, and checks it otherwise.
func unlessEmpty(dst *string, check func(*string) func(string) error) func(string) error {
	return func(s string) error {
		*dst = s
		if s == "" {
			return nil
		}
		return check(dst)(s)
	}
}

// masterKey takes a key that package secret would take, so that a bad one is
// refused before anything is opened or made (SR-05).
func masterKey(dst *secret.Text) func(string) error {
	return func(s string) error {
		s = strings.TrimSpace(s)
		*dst = secret.NewText(s)
		if s == "" {
			return nil
		}
		_, err := secret.ParseMaster(s)
		return err
	}
}

func number(dst *int, least, most int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return fmt.Errorf("must be a number from %d to %d", least, most)
		}
		*dst = n
		return nil
	}
}

func boolean(dst *bool) func(string) error {
	return func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("must be true or false")
		}
		*dst = b
		return nil
	}
}

// switchable takes on or off.
func switchable(dst *bool) func(string) error {
	return func(s string) error {
		if s != "on" && s != "off" {
			return errors.New("must be on or off")
		}
		*dst = s == "on"
		return nil
	}
}

func duration(dst *time.Duration, least, most time.Duration) func(string) error {
	return func(s string) error {
		d, err := parseDuration(s)
		if err != nil || d < least || d > most {
			return fmt.Errorf("must be a duration from %s to %s, such as %s", brief(least), brief(most), brief(most))
		}
		*dst = d
		return nil
	}
}

// retention takes 0 for ever, or a duration that keeps what else is kept.
func retention(dst *time.Duration) func(string) error {
	return func(s string) error {
		d, err := parseDuration(s)
		if err != nil || d != 0 && d < 31*24*time.Hour {
			return errors.New("must be 0, or a duration of 31d or more")
		}
		*dst = d
		return nil
	}
}

// brief is the duration without what is zero at its end: 720h, not 720h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parseDuration reads a Go duration, or a number of days such as "90d".
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return 0, errors.New("bad number of days")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(s)
}

func oneOf(dst *string, words ...string) func(string) error {
	return func(s string) error {
		for _, w := range words {
			if s == w {
				*dst = s
				return nil
			}
		}
		return errors.New("must be one of " + strings.Join(words, ", "))
	}
}

func algorithm(dst *token.Algorithm) func(string) error {
	return func(s string) (err error) {
		*dst, err = token.ParseAlgorithm(s)
		return err
	}
}

func argon2(dst *secret.Argon2) func(string) error {
	return func(s string) (err error) {
		*dst, err = secret.ParseArgon2(s, false)
		return err
	}
}
