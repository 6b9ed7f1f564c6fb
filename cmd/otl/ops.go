package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/config"
	"github.com/onetimelogin/otl/internal/node"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/store"
	"github.com/onetimelogin/otl/internal/surface/native"
)

// errNoDatabase is the answer to a command that looks at a database which was
// never made.
var errNoDatabase = &otl.Error{Kind: otl.NotFound, Code: "not_found", Text: "There is no database here yet. Start with: otl serve, or name its directory with --data"}

// errDevDatabase is the same where `otl dev` made one in the working directory.
var errDevDatabase = &otl.Error{Kind: otl.NotFound, Code: "not_found", Text: "There is no database here yet, but otl dev has made one: name its directory with --data " + devData}

// noDatabase gives the one of both that helps.
func noDatabase() error {
	if _, err := os.Stat(filepath.Join(devData, "otl.db")); err == nil {
		return errDevDatabase
	}
	return errNoDatabase
}

func dbCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "db", Short: "Look after the database"}
	status := &cobra.Command{
		Use: "status", Short: "Show the engine and the schema", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := a.load(nil, nil)
			if err != nil {
				return err
			}
			if missing(conf) {
				return noDatabase()
			}
			engine, url := "postgres", conf.DatabaseURL.Reveal()
			if file := databaseFile(conf); file != "" {
				engine, url = "sqlite", file
			}
			v, err := store.SchemaVersion(c.Context(), url)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"engine": engine, "schema": v.Current, "newest": v.Newest}, func() {
				fmt.Fprintf(a.stdout, "Engine  %s\nSchema  %d of %d\n", engine, v.Current, v.Newest)
			})
		},
	}
	migrate := &cobra.Command{
		Use: "migrate", Short: "Bring the schema to the newest", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withNode(c, opening{create: true, migrate: true}, func(context.Context, *node.Node) error {
				return a.print(map[string]any{"migrated": true}, func() { fmt.Fprintln(a.stdout, "the schema is the newest") })
			})
		},
	}
	c.AddCommand(status, migrate, dbBackup(a), dbVerify(a))
	return c
}

// valueJSON is a configured value as commands print it.
type valueJSON struct {
	Key     string `json:"key"`
	Env     string `json:"env"`
	Value   string `json:"value"`
	Source  string `json:"source"`
	Default string `json:"default"`
	Help    string `json:"help"`
}

func newValueJSON(v config.Value) valueJSON {
	return valueJSON{v.Key.Path, v.Key.Env, v.Text, v.Source, v.Key.Default, v.Key.Help}
}

func configCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show, check and explain the configuration"}
	var sources bool
	show := &cobra.Command{
		Use: "show", Short: "Show the configuration in force, secrets hidden", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			conf, err := a.load(nil, nil)
			if err != nil {
				return err
			}
			var out []valueJSON
			for _, v := range conf.Values() {
				out = append(out, newValueJSON(v))
			}
			return a.print(map[string]any{"data": out}, func() {
				head := []string{"KEY", "VALUE"}
				if sources {
					head = append(head, "SOURCE")
				}
				table(a.stdout, head, out, func(v valueJSON) []string { return []string{v.Key, v.Value, v.Source}[:len(head)] })
			})
		},
	}
	show.Flags().BoolVar(&sources, "sources", false, "show where each value comes from")
	check := &cobra.Command{
		Use: "check", Short: "Check the configuration and the files it names, without starting", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			conf, err := a.load(nil, nil)
			if err != nil {
				return err
			}
			_, exposed := safe(conf)
			_, wrong := nodeOptions(conf, nil, true)
			if err := config.Together(exposed, wrong); err != nil {
				return err
			}
			return a.print(map[string]any{"ok": true}, func() { fmt.Fprintln(a.stdout, "ok") })
		},
	}
	explain := &cobra.Command{
		Use: "explain KEY", Short: "Say what one key means", Args: cobra.ExactArgs(1), ValidArgsFunction: completeKeys,
		RunE: func(_ *cobra.Command, args []string) error { return a.explainKey(args[0]) },
	}
	env := &cobra.Command{
		Use: "env", Short: "List every variable the server reads", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var out []valueJSON
			for _, k := range config.Keys() {
				out = append(out, newValueJSON(config.Value{Key: k}))
			}
			return a.print(map[string]any{"data": out}, func() {
				table(a.stdout, []string{"VARIABLE", "DEFAULT", "MEANING"}, out, func(v valueJSON) []string { return []string{v.Env, v.Default, v.Help} })
			})
		},
	}
	c.AddCommand(show, check, explain, env)
	return c
}

func completeKeys(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, k := range config.Keys() {
		out = append(out, k.Path)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) explainKey(name string) error {
	k, err := config.Find(name)
	if err != nil {
		return &otl.Error{Kind: otl.NotFound, Code: "not_found", Text: err.Error()}
	}
	return a.print(newValueJSON(config.Value{Key: k}), func() {
		fmt.Fprintf(a.stdout, "%s\n\n  file     %s\n  env      %s%s\n", k.Help, k.Path, k.Env, fileVariant(k))
		if k.Flag != "" {
			fmt.Fprintf(a.stdout, "  flag     --%s\n", k.Flag)
		}
		if k.Default != "" {
			fmt.Fprintf(a.stdout, "  default  %s\n", k.Default)
		}
	})
}

func fileVariant(k config.Key) string {
	if !k.Secret {
		return ""
	}
	return ", or " + k.Env + "_FILE"
}

func openapiCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "openapi", Short: "Print the OpenAPI 3.1 description of the API", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(native.New(native.Options{Version: version()}).OpenAPI())
			return err
		},
	}
}
