// Command otl is the server, its administration and the developer's local
// world, in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program without its process. It returns the exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{environ: environ, stdin: stdin, stdout: stdout, stderr: stderr}
	root := command(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code, text, try := explain(err)
	fmt.Fprintln(stderr, "otl: "+text)
	if try != "" {
		fmt.Fprintln(stderr, "try: "+try)
	}
	return code
}

// app is what every command shares: the process's surroundings and the global
// flags.
type app struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer

	configFile string
	dataDir    string
	json       bool
}

// command builds the tree of commands.
func command(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "otl", Short: "OneTimeLogin: one identity, many partner sites", Version: version(),
		SilenceUsage: true, SilenceErrors: true,
		Long: "OneTimeLogin is a self-hosted identity server.\n\n" +
			"Start with `otl dev`: a local world with people, sites and keys. `otl serve` is the\n" +
			"server alone. The other commands act on the configured database, with or without a\n" +
			"running server.",
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "configuration file (default otl.yaml, then /etc/otl/otl.yaml)")
	flags.StringVar(&a.dataDir, "data", "", "data directory (OTL_DATA_DIR)")
	flags.BoolVar(&a.json, "json", false, "print one JSON object")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{err, c.CommandPath() + " --help"} })
	root.AddCommand(
		devCommand(a), serveCommand(a), sitesCommand(a), siteKeysCommand(a), usersCommand(a), sessionsCommand(a),
		eventsCommand(a), keysCommand(a), tokenCommand(a), dbCommand(a), configCommand(a), openapiCommand(a), versionCommand(a),
	)
	markUsage(root)
	return root
}

// markUsage makes wrong arguments of any command a usage error.
func markUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{err, c.CommandPath() + " --help"}
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil && c.Run == nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				text += ": did you mean " + strings.Join(near, " or ") + "?"
			}
			return usageError{errors.New(text), c.CommandPath() + " --help"}
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range c.Commands() {
		markUsage(sub)
	}
}

// version gives the version of this build: the module version, or the commit it
// was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return baseVersion + "+" + s.Value[:12]
		}
	}
	return baseVersion
}

// baseVersion is the release this source tree leads to.
const baseVersion = "0.1.0-dev"

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.print(map[string]string{"version": version()}, func() { fmt.Fprintln(a.stdout, version()) })
		},
	}
}
