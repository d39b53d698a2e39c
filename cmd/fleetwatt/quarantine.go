package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
)

func quarantineCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "See, replay and drop what a running server could not store",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r.bind(cmd)
	cmd.AddCommand(quarantineList(&r), quarantineShow(&r), quarantineCounts(&r), quarantineReplay(&r), quarantinePurge(&r))
	return cmd
}

// selection is which entries a command is about.
type selection struct {
	reason, device, since, until string
}

func (s *selection) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.reason, "reason", "", "only entries of this reason (see quarantine counts)")
	f.StringVar(&s.device, "device", "", "only entries of this device: kind/id")
	f.StringVar(&s.since, "since", "", "only entries received at this time or later: a time, a date, or how long ago (24h, 7d)")
	f.StringVar(&s.until, "until", "", "only entries received before this time")
}

func (s *selection) empty() bool { return *s == selection{} }

func (s *selection) query() (url.Values, error) {
	q := url.Values{}
	if s.reason != "" {
		q.Set("reason", s.reason)
	}
	if s.device != "" {
		q.Set("device", s.device)
	}
	return q, errors.Join(setMoment(q, "since", s.since), setMoment(q, "until", s.until))
}

func quarantineList(r *remote) *cobra.Command {
	var (
		s     selection
		limit int
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List entries, newest first",
		Example: `  fleetwatt quarantine list --reason unknown_field --since 24h
  fleetwatt quarantine list --device battery/bat-0001 --limit 5`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return errors.New("limit: want at least 1")
			}
			query, err := s.query()
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			entries, total, err := listAll[api.Quarantined](cmd, c, "/quarantine", query, limit)
			if err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), entries)
			}
			rows := make([][]string, len(entries))
			for i, e := range entries {
				rows[i] = []string{strconv.FormatInt(e.ID, 10), e.ReceivedAt.String(), e.Reason, e.Device, strconv.Itoa(e.PayloadBytes), e.Detail}
			}
			if err := table(cmd.OutOrStdout(), []string{"ID", "RECEIVED", "REASON", "DEVICE", "BYTES", "DETAIL"}, rows); err != nil {
				return err
			}
			if len(entries) < total {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d entries; --limit shows more\n", len(entries), total)
			}
			return nil
		},
	}
	s.bind(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return cmd
}

func quarantineCounts(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "counts",
		Short: "Count entries by reason",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			var counts page[api.ReasonCount]
			if _, err := c.Call(cmd.Context(), http.MethodGet, "/quarantine/counts", nil, nil, &counts); err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), counts.Items)
			}
			return table(cmd.OutOrStdout(), []string{"REASON", "ENTRIES"}, countRows(counts.Items))
		},
	}
}

func countRows(counts []api.ReasonCount) [][]string {
	rows := make([][]string, len(counts))
	for i, n := range counts {
		rows[i] = []string{n.Reason, strconv.Itoa(n.Count)}
	}
	return rows
}

func quarantinePurge(r *remote) *cobra.Command {
	var (
		s         selection
		olderThan string
		keepMiB   float64
		all, dry  bool
	)
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Drop entries for good, by reason, device, age and size",
		Example: `  fleetwatt quarantine purge --older-than 7d --dry-run
  fleetwatt quarantine purge --reason malformed --keep-mib 10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if olderThan != "" {
				if s.until != "" {
					return errors.New("give --older-than or --until, not both")
				}
				age, err := config.ParseDays(olderThan)
				if err != nil {
					return fmt.Errorf("older-than: %w", err)
				}
				s.until = time.Now().Add(-age).UTC().Format(time.RFC3339Nano)
			}
			if all != (s.empty() && keepMiB == 0) {
				return errors.New("say what to drop: --reason, --device, --since, --until, --older-than or --keep-mib; or --all alone for everything")
			}
			if !(keepMiB >= 0 && keepMiB < 1<<20) {
				return fmt.Errorf("keep-mib: %g: want 0 or more", keepMiB)
			}
			query, err := s.query()
			if err != nil {
				return err
			}
			if keepMiB > 0 {
				query.Set("keep_bytes", strconv.FormatInt(max(1, int64(math.Floor(keepMiB*(1<<20)))), 10))
			}
			query.Set("all", strconv.FormatBool(all))
			query.Set("dry_run", strconv.FormatBool(dry))
			c, err := r.client()
			if err != nil {
				return err
			}
			var purged api.Purged
			if _, err := c.Call(cmd.Context(), http.MethodDelete, "/quarantine", query, nil, &purged); err != nil {
				return err
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), purged)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d entries of %.1f MiB %s\n", purged.Entries, float64(purged.Bytes)/(1<<20),
				map[bool]string{true: "would be dropped", false: "dropped"}[dry])
			return err
		},
	}
	s.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&olderThan, "older-than", "", "only entries received longer ago than this: 24h, 7d")
	f.Float64Var(&keepMiB, "keep-mib", 0, "keep the newest of them, so many MiB")
	f.BoolVar(&all, "all", false, "drop everything")
	f.BoolVar(&dry, "dry-run", false, "only count")
	return cmd
}
