package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onetimelogin/otl/internal/secret"
)

// markUsage makes wrong arguments and missing flags of any command a usage
// error, in words that say what belongs there.
func markUsage(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	switch check := c.Args; {
	case c.HasSubCommands() && !c.Runnable():
		c.Args = unknownCommand
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	case check != nil:
		c.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) != nil {
				return wrongUse(c, wanted(c, args))
			}
			if err := c.ValidateRequiredFlags(); err != nil {
				return wrongUse(c, err.Error())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		markUsage(sub)
	}
}

// require makes a flag of a command one that must be given.
func require(c *cobra.Command, name string) {
	if err := c.MarkFlagRequired(name); err != nil { // only for a flag that is not defined
		panic(err)
	}
}

// badFlag is the error for a flag that is unknown or has no good value, without
// the name of the function that says so.
func badFlag(c *cobra.Command, err error) error {
	text, _, _ := strings.Cut(err.Error(), ": strconv.")
	return wrongUse(c, text)
}

func wrongUse(c *cobra.Command, text string) error {
	return usageError{errors.New(text), c.CommandPath() + " --help"}
}

// checkPlace checks the id behind which a list goes on, where one is given: a mistyped one would be an empty list.
func checkPlace(c *cobra.Command, flag, prefix, id string) error {
	if bare, is := strings.CutPrefix(id, prefix); id != "" && (!is || !secret.ValidID(bare)) {
		return wrongUse(c, "--"+flag+" must be an id of the list, such as "+prefix+"01HKZ5D2C4E6G8J1K3N5Q7S9TV")
	}
	return nil
}

func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return wrongUse(c, text)
}

// wanted says which arguments a command takes, after it got others.
func wanted(c *cobra.Command, args []string) string {
	_, takes, _ := strings.Cut(c.Use, " ")
	if takes == "" {
		return fmt.Sprintf("%s takes no argument such as %q", c.CommandPath(), args[0])
	}
	return fmt.Sprintf("%s takes %s; %d given", c.CommandPath(), takes, len(args))
}

// helpCommand is `otl help`, which unlike the library's own refuses what there
// is no help for.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command", Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				if c == nil {
					c = root
				}
				return unknownCommand(c, append(rest, args...)[:1])
			}
			c.InitDefaultHelpFlag()
			c.InitDefaultVersionFlag()
			return c.Help()
		},
	}
}
