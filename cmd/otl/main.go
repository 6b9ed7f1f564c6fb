// Command otl is the server, its administration and the developer's local
// world, in one binary.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
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
	out := &sure{Writer: stdout}
	a := &app{environ: environ, stdin: stdin, stdout: out, stderr: stderr}
	root := command(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if out.err != nil {
		err = out.err
	}
	if err == nil {
		return exitOK
	}
	code, text, try := explain(err)
	fmt.Fprintln(stderr, "otl: "+oneLine(text))
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
	root.SetFlagErrorFunc(badFlag)
	root.AddCommand(
		devCommand(a), serveCommand(a), benchCommand(a), sitesCommand(a), siteKeysCommand(a), clientsCommand(a), planCommand(a), ordersCommand(a), usersCommand(a), factorsCommand(a), sessionsCommand(a),
		auditCommand(a), eventsCommand(a), webhooksCommand(a), listenCommand(a), triggerCommand(a), messagesCommand(a), smsCommand(a), keysCommand(a), tokenCommand(a), dbCommand(a), configCommand(a), openapiCommand(a), versionCommand(a),
	)
	root.SetHelpCommand(helpCommand(root))
	markUsage(root)
	return root
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
