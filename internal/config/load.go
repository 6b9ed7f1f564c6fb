package config

import (
	"slices"
	"strings"
)

// Sources are where values come from, besides the built-in defaults.
type Sources struct {
	// File is the path of the YAML file; empty to look for otl.yaml in the
	// working directory and in /etc/otl.
	File string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
	// Flags are values by path, given on the command line.
	Flags map[string]string
	// Defaults replace built-in defaults by path: `otl dev` has others.
	Defaults map[string]string
}

// given is a value as somebody wrote it.
type given struct {
	text   string
	source string // "default", "file", "env" or "flag"
	name   string // what an error calls it, such as "OTL_LISTEN"
}

// Load reads the configuration. The error is an *Error that names every value at fault; it is
// ErrSecretFile, too, where a file with a secret cannot be read or everybody can read it. A
// configuration file that cannot be read is named alone, because nobody knows what it says.
func Load(src Sources) (*Config, error) {
	c := &Config{values: map[string]Value{}}
	keys := c.keys()
	bad := faults{}
	file, err := fromFile(src.File, keys, &bad)
	if err != nil {
		return nil, err
	}
	env := fromEnv(src.Environ, keys, &bad)
	for _, k := range keys {
		g := given{text: k.Default, source: "default", name: k.Path}
		if def, ok := src.Defaults[k.Path]; ok {
			g.text = def
		}
		if v, ok := file[k.Path]; ok {
			g = v
		}
		if v, ok := env[k.Path]; ok {
			g = v
		}
		if s, ok := src.Flags[k.Path]; ok {
			g = given{s, "flag", "--" + k.Flag}
		}
		if err := k.set(g.text); err != nil {
			bad = append(bad, &Error{Key: g.name, Text: err.Error(), Path: k.Path})
		}
		c.values[k.Path] = newValue(k, g)
	}
	if err := append(bad, c.disagreements()...).err(); err != nil {
		return nil, err
	}
	return c, nil
}

func newValue(k Key, g given) Value {
	v := Value{Key: k, Text: g.text, Source: g.source, name: g.name, written: func() string { return g.text }}
	if k.Secret && v.Text != "" {
		v.Text = "***"
	}
	return v
}

// disagreements are the values that are good by themselves and at fault beside others.
func (c *Config) disagreements() (bad faults) {
	if !c.SecretKey.Empty() && c.SecretKey.Reveal() == c.SecretKeyPrevious.Reveal() {
		bad = append(bad, c.fault("secret_key_previous", "is the key it should be the predecessor of"))
	}
	if c.values["rate_limits"].Text == "off" && strings.HasPrefix(c.PublicURL, "https:") {
		bad = append(bad, c.fault("rate_limits", "must stay on where people reach the server by https"))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		present, missing := "tls.cert", "tls.key"
		if c.TLSCert == "" {
			present, missing = missing, present
		}
		bad = append(bad, c.fault(present, "needs "+c.values[missing].Key.Env+" as well"))
	}
	return bad
}

// fromEnv gives the values of the environment by path. Every OTL_ variable must
// be a key, the file of a secret, or a name that belongs to clients and scripts.
func fromEnv(environ []string, keys []Key, bad *faults) map[string]given {
	out, files := map[string]given{}, map[string]given{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "OTL_") || foreign(name) {
			continue
		}
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Env == name || k.Secret && k.Env+fileSuffix == name })
		switch {
		case i < 0:
			*bad = append(*bad, &Error{Key: name, Text: "is not a setting" + suggest(name, variables(keys))})
		case keys[i].Env == name:
			out[keys[i].Path] = given{value, "env", name}
		default:
			files[keys[i].Path] = given{value, "env", name}
		}
	}
	for _, k := range keys { // in their order, so that the same error comes first every time
		f, ok := files[k.Path]
		if !ok {
			continue
		}
		if out[k.Path].text != "" {
			*bad = append(*bad, &Error{Key: f.name, Text: "and " + k.Env + " are both set; one of them must go", Path: k.Path})
			continue
		}
		raw, err := ReadSecretFile(f.text)
		if err != nil {
			*bad = append(*bad, &Error{Key: f.name, Text: err.Error(), Path: k.Path, Cause: err})
			continue
		}
		f.text = strings.TrimSpace(string(raw))
		if f.text == "" {
			*bad = append(*bad, &Error{Key: f.name, Text: "names an empty file", Path: k.Path})
			continue
		}
		out[k.Path] = f
	}
	return out
}

// fileSuffix makes of a secret's variable the one that names a file with it.
const fileSuffix = "_FILE"

func variables(keys []Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Env)
		if k.Secret {
			out = append(out, k.Env+fileSuffix)
		}
	}
	return out
}

// foreign reports whether a variable is not the server's: one that `otl dev`
// writes for scripts, that clients read, or that tests use.
func foreign(name string) bool {
	return strings.HasPrefix(name, "OTL_TEST_") || slices.Contains([]string{
		"OTL_CONFIG", // read before there is a configuration
		"OTL_URL", "OTL_SITE_ID", "OTL_SITE_KEY", "OTL_CALLBACK_URL", "OTL_SITE2_ID", "OTL_SITE2_KEY", "OTL_SITE2_CALLBACK_URL",
		"OTL_CLIENT_ID", "OTL_CLIENT_SECRET", "OTL_REDIRECT_URI", "OTL_SUBDOMAIN",
		"OTL_USER_ID", "OTL_USER_EMAIL", "OTL_USER_PASSWORD", "OTL_USER_USERNAME", "OTL_USER_PHONE",
		"OTL_MFA_EMAIL", "OTL_MFA_PASSWORD", "OTL_MFA_TOTP_SECRET", "OTL_MFA_PHONE",
		"OTL_OWNER_EMAIL", "OTL_OWNER_PASSWORD", "OTL_OWNER_TOTP_SECRET",
		"OTL_OPERATOR_EMAIL", "OTL_OPERATOR_PASSWORD", "OTL_OPERATOR_TOTP_SECRET",
		"OTL_API_KEY", "OTL_CLIENT_TOKEN", "OTL_WEBHOOK_SECRET", "OTL_PROFILE", "OTL_LOG",
	}, name)
}
