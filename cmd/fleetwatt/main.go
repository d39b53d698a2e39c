// Command fleetwatt ingests telemetry of battery-swap fleets and buildings over
// MQTT, stores it, computes from it and serves the results.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // sites name their time zone; a container may have no data of its own

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its surroundings passed in; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends in order; from then on a second one ends at once.
	context.AfterFunc(ctx, stop)

	root := &cobra.Command{
		Use:           "fleetwatt",
		Short:         "telemetry of battery-swap fleets and buildings, from the device to the owner's return",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs, // so that a misspelt command is an error
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(serveCommand(), demoCommand(), simulateCommand(), replayCommand(),
		quarantineCommand(), devicesCommand(), registryCommand(), keysCommand(), exportCommand(), configCommand(), versionCommand())
	guide(root)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil || errors.Is(err, errInterrupted) || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return 0
	}
	fmt.Fprintln(stderr, "fleetwatt:", err)
	return 1
}

// guide makes cmd and its subcommands say, where they are misused, how they are
// used.
func guide(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		guide(sub)
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (%s --help lists the flags)", err, cmd.CommandPath())
	})
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		switch {
		case err == nil:
			return nil
		case !cmd.HasSubCommands():
			return fmt.Errorf("%w (usage: %s)", err, cmd.UseLine())
		}
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return fmt.Errorf("%w (did you mean %s?)", err, strings.Join(near, " or "))
		}
		return fmt.Errorf("%w (%s --help lists the commands)", err, cmd.CommandPath())
	}
}

// errInterrupted ends a command that was asked to stop; that is no failure.
var errInterrupted = errors.New("interrupted")

// newLogger writes to w; level and format are known to be valid.
func newLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // validated with the configuration
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
