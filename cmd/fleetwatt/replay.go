package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
	"github.com/fleetwatt/fleetwatt/simulator/replay"
)

func replayCommand() *cobra.Command {
	var (
		to      target
		mapping string
		device  string
		fields  string
	)
	cmd := &cobra.Command{
		Use:   "replay --mapping FILE CSV...",
		Short: "Publish real measurements from CSV or gzipped CSV files",
		Example: `  fleetwatt replay --mapping deploy/examples/nasa-b0005.yaml B0005_discharge_raw.csv.gz
  fleetwatt replay --mapping deploy/examples/cambridge-b4.yaml b4_electricity_2018.csv`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := to.complete(cmd); err != nil {
				return err
			}
			if mapping == "" {
				return errors.New("mapping: want a YAML file that says which column is which field; deploy/examples has some")
			}
			m, err := readMapping(mapping, device)
			if err != nil {
				return err
			}
			schema, err := schemaOf(fields)
			if err != nil {
				return err
			}
			if err := m.Validate(schema); err != nil {
				return fmt.Errorf("mapping %s: %w", mapping, err)
			}
			p, err := publish.New(publish.Options{
				Broker: to.broker, Credentials: to.credentials, ClientPrefix: "replay", Connections: 1,
				Logger: newLogger(cmd.ErrOrStderr(), "info", "text"),
			})
			if err != nil {
				return err
			}
			defer func() { _ = p.Close() }() // everything was flushed, or an error is told already
			if err := p.Connect(cmd.Context()); err != nil {
				return to.unreached(err)
			}
			for _, file := range files {
				if err := replayFile(cmd, m, schema, file, p); err != nil {
					return err
				}
			}
			return p.Close()
		},
	}
	to.bind(cmd)
	cmd.Flags().StringVar(&mapping, "mapping", "", "YAML file that says which column is which field (see deploy/examples)")
	cmd.Flags().StringVar(&device, "device", "", "kind/id to publish as, in place of the mapping's")
	cmd.Flags().StringVar(&fields, "server-config", "", "configuration file of the server, for the fields it adds")
	return cmd
}

func readMapping(path, device string) (*replay.Mapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open mapping: %w", err)
	}
	defer f.Close()
	m, err := replay.ReadMapping(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if device != "" {
		ref, err := devices.ParseRef(device)
		if err != nil {
			return nil, err
		}
		m.Kind, m.ID = ref.Kind, ref.ID
	}
	return m, nil
}

// schemaOf is the schema of a server with that configuration file.
func schemaOf(path string) (*devices.Schema, error) {
	var s settings
	cmd := &cobra.Command{}
	s.bind(cmd)
	if err := s.Load(cmd.Flags(), path, func(string) (string, bool) { return "", false }); err != nil {
		return nil, err
	}
	return s.Schema()
}

func replayFile(cmd *cobra.Command, m *replay.Mapping, schema *devices.Schema, path string, p *publish.Fleet) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open measurements: %w", err)
	}
	defer f.Close()
	stats, err := replay.Run(cmd.Context(), m, schema, path, f, p, nil)
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d rows, %d readings acknowledged as %s\n", path, stats.Rows, stats.Readings, m.Ref())
	if stats.Beyond > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d readings hold a value beyond the bounds of its field, and are in the server's quarantine; is a scale in the mapping wrong?\n", path, stats.Beyond)
	}
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return err
}
