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
	"syscall"
	_ "time/tzdata" // sites name their time zone; a container may have no data of its own

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its surroundings passed in; it returns the exit code.
func run(args []string, _ io.Reader, stdout, stderr io.Writer) int {
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
		quarantineCommand(), devicesCommand(), keysCommand(), exportCommand(), configCommand(), versionCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil || errors.Is(err, errInterrupted) || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return 0
	}
	fmt.Fprintln(stderr, "fleetwatt:", err)
	return 1
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
