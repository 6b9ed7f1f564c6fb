package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Sources are where values come from, besides the defaults.
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

// Load reads the configuration. The error is an *Error, or says which file could
// not be read.
func Load(src Sources) (*Config, error) {
	c := &Config{values: map[string]Value{}}
	file, err := readFile(src.File)
	if err != nil {
		return nil, err
	}
	env, err := readEnv(src.Environ, c.keys())
	if err != nil {
		return nil, err
	}
	for _, k := range c.keys() {
		v := Value{k, k.Default, "default"}
		if def, ok := src.Defaults[k.Path]; ok {
			v.Text = def
		}
		name := k.Path
		for _, layer := range []struct {
			source, name string
			values       map[string]string
		}{{"file", k.Path, file}, {"env", k.Env, env}, {"flag", "--" + k.Path, src.Flags}} {
			if s, ok := layer.values[k.Path]; ok {
				v.Text, v.Source, name = s, layer.source, layer.name
			}
		}
		delete(file, k.Path)
		if err := k.set(v.Text); err != nil {
			return nil, &Error{name, err.Error()}
		}
		if k.Secret && v.Text != "" {
			v.Text = "***"
		}
		c.values[k.Path] = v
	}
	for unknown := range file {
		return nil, &Error{unknown, "is not a key of the configuration file" + suggest(unknown, paths(c.keys()))}
	}
	return c, nil
}

// readFile gives the values of the YAML file by path. Without a name, a file
// that is not there is an empty one.
func readFile(name string) (map[string]string, error) {
	names := []string{name}
	if name == "" {
		names = []string{"otl.yaml", "/etc/otl/otl.yaml"}
	}
	for _, n := range names {
		raw, err := os.ReadFile(n)
		if errors.Is(err, fs.ErrNotExist) && name == "" {
			continue
		}
		if err != nil {
			return nil, &Error{"--config", err.Error()}
		}
		return ParseFile(n, raw)
	}
	return map[string]string{}, nil
}

// ParseFile reads the YAML of a configuration file into values by path: nested
// keys are joined by dots, a list becomes its members joined by commas.
func ParseFile(name string, raw []byte) (map[string]string, error) {
	var tree map[string]any
	if err := yaml.UnmarshalWithOptions(raw, &tree, yaml.Strict()); err != nil {
		return nil, &Error{name, yaml.FormatError(err, false, true)}
	}
	out := map[string]string{}
	if err := flatten("", tree, out, 0); err != nil {
		return nil, &Error{name, err.Error()}
	}
	return out, nil
}

func flatten(prefix string, tree map[string]any, out map[string]string, depth int) error {
	if depth > 8 {
		return errors.New("is nested too deep")
	}
	for k, v := range tree {
		path := prefix + k
		switch v := v.(type) {
		case map[string]any:
			if err := flatten(path+".", v, out, depth+1); err != nil {
				return err
			}
		case []any:
			words := make([]string, len(v))
			for i, one := range v {
				words[i] = fmt.Sprint(one)
			}
			out[path] = strings.Join(words, ",")
		case nil:
			out[path] = ""
		default:
			out[path] = fmt.Sprint(v)
		}
	}
	return nil
}

// readEnv gives the values of the environment by path. Every OTL_ variable must
// be a key, the file of a secret, or a name that belongs to clients and scripts.
func readEnv(environ []string, keys []Key) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "OTL_") || foreign(name) {
			continue
		}
		if i := slices.IndexFunc(keys, func(k Key) bool { return k.Env == name }); i >= 0 {
			out[keys[i].Path] = value
			continue
		}
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Secret && k.Env+"_FILE" == name })
		if i < 0 {
			return nil, &Error{name, "is not a setting" + suggest(name, envs(keys))}
		}
		raw, err := ReadSecretFile(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[keys[i].Path] = strings.TrimSpace(string(raw))
	}
	return out, nil
}

// foreign reports whether a variable is not the server's: the names of dev.env,
// those clients read, and those of tests.
func foreign(name string) bool {
	for _, prefix := range []string{"OTL_TEST_", "OTL_USER_", "OTL_MFA_", "OTL_OWNER_", "OTL_OPERATOR_", "OTL_SITE", "OTL_CLIENT_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"OTL_CONFIG", "OTL_URL", "OTL_API_KEY", "OTL_WEBHOOK_SECRET", "OTL_PROFILE", "OTL_CALLBACK_URL", "OTL_REDIRECT_URI", "OTL_SUBDOMAIN", "OTL_LOG",
	}, name)
}

// ErrSecretFile means that a file with a secret cannot be read, or can be read
// by everybody.
var ErrSecretFile = errors.New("secret file refused")

// ReadSecretFile reads a file that must not be readable by everybody on the
// machine (SR-05). Its errors are ErrSecretFile.
func ReadSecretFile(path string) ([]byte, error) {
	if err := CheckPrivate(path); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSecretFile, err)
	}
	return raw, nil
}

// CheckPrivate refuses a file that others than its owner and group can read.
func CheckPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSecretFile, err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%w: %s can be read by everybody on this machine; run: chmod 600 %s", ErrSecretFile, path, path)
	}
	return nil
}

func paths(keys []Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.Path
	}
	return out
}

func envs(keys []Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.Env
	}
	return out
}

// suggest gives ": did you mean X?" for the closest known name, or nothing.
func suggest(given string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if d := editDistance(given, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return "; list them with: otl config env"
	}
	return ": did you mean " + best + "?"
}

// editDistance counts the single characters to insert, delete or replace to
// make b of a (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		last := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := last
			if a[i-1] != b[j-1] {
				cost++
			}
			last = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
