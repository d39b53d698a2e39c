package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetwatt/fleetwatt/cmd/internal/app"
	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
)

// settings is the configuration of a command, before it is loaded.
type settings struct {
	config.Config
	file string
}

// bind gives cmd a flag for every setting and one for the file.
func (s *settings) bind(cmd *cobra.Command) {
	s.Config = config.Default()
	s.Bind(cmd.Flags())
	cmd.Flags().StringVar(&s.file, "config", "", "YAML file of settings, by the names of these flags")
}

// load completes the flags from the environment and the file, and checks all.
func (s *settings) load(flags *pflag.FlagSet) error {
	path := s.file
	if path == "" {
		path = os.Getenv(config.EnvName("config"))
	}
	err := s.Load(flags, path, os.LookupEnv)
	if errors.Is(err, config.ErrUnread) {
		return err
	}
	if err := errors.Join(err, s.Validate()); err != nil {
		return fmt.Errorf("%w\n(fleetwatt serve --help says what each setting is)", err)
	}
	return nil
}

func serveCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take in telemetry, compute, and serve the API",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.load(cmd.Flags()); err != nil {
				return err
			}
			log := newLogger(cmd.ErrOrStderr(), s.LogLevel, s.LogFormat)
			for _, key := range s.Retired {
				log.Warn("a key of the configuration file means nothing any more and is passed over", "key", key)
			}
			limitMemory()
			a, err := app.New(cmd.Context(), s.Config, version(), log)
			if cmd.Context().Err() != nil { // told to stop while it started
				return errors.Join(errInterrupted, closeApp(a))
			}
			if err != nil {
				return err
			}
			return a.Run(cmd.Context())
		},
	}
	s.bind(cmd)
	return cmd
}

func closeApp(a *app.App) error {
	if a == nil {
		return nil
	}
	return a.Close()
}

func configCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration that serve would run with",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			loadErr := s.load(cmd.Flags())
			if err := s.Print(cmd.OutOrStdout(), cmd.Flags()); err != nil {
				return err
			}
			return loadErr
		},
	}
	s.bind(cmd)
	return cmd
}

// heapLimit is from how many bytes on the garbage collector works harder: a busy
// intake leaves garbage fast, and memory is shared with the store's queries.
const heapLimit = 512 << 20

// limitMemory sets heapLimit, unless GOMEMLIMIT says otherwise.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
}
