package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/api"
)

// shownPayload bounds in bytes what show prints of a payload.
const shownPayload = 4 << 10

func quarantineShow(r *remote) *cobra.Command {
	var payload string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one entry with its bytes",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := entryID(args[0])
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			var e api.Quarantined
			if _, err := c.Call(cmd.Context(), http.MethodGet, "/quarantine/"+id, nil, nil, &e); err != nil {
				return err
			}
			raw, err := payloadOf(&e)
			if err != nil {
				return err
			}
			switch {
			case payload == "-":
				_, err = cmd.OutOrStdout().Write(raw)
				return err
			case payload != "":
				return os.WriteFile(payload, raw, 0o600)
			case r.json:
				return printJSON(cmd.OutOrStdout(), e)
			}
			return printEntry(cmd.OutOrStdout(), &e, raw)
		},
	}
	cmd.Flags().StringVar(&payload, "payload", "", "write the payload, byte for byte, to this file; - for standard output")
	return cmd
}

func entryID(s string) (string, error) {
	id, err := strconv.ParseUint(s, 10, 63)
	if err != nil || id == 0 {
		return "", fmt.Errorf("%q is not the id of an entry", s)
	}
	return strconv.FormatUint(id, 10), nil
}

func payloadOf(e *api.Quarantined) ([]byte, error) {
	if e.Payload != nil {
		return []byte(*e.Payload), nil
	}
	if e.PayloadBase64 == nil {
		return nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(*e.PayloadBase64)
	if err != nil {
		return nil, fmt.Errorf("decode payload: %w", err)
	}
	return raw, nil
}

func printEntry(w io.Writer, e *api.Quarantined, raw []byte) error {
	for _, line := range [][2]string{
		{"id", strconv.FormatInt(e.ID, 10)}, {"received", e.ReceivedAt.String()}, {"reason", e.Reason}, {"detail", e.Detail},
		{"device", e.Device}, {"sender", e.Principal}, {"topic", e.Topic}, {"bytes", strconv.Itoa(e.PayloadBytes)},
	} {
		fmt.Fprintf(w, "%-9s %s\n", line[0], shown(line[1]))
	}
	rest := len(raw) - shownPayload
	if rest > 0 {
		raw = raw[:shownPayload]
	}
	fmt.Fprintf(w, "\n%s\n", strings.TrimRight(printable(raw, e.Payload != nil), "\n"))
	if rest > 0 {
		fmt.Fprintf(w, "… and %d bytes more; --payload FILE writes them all\n", rest)
	}
	return nil
}

// printable is a payload as a terminal can show it: text as it is, but for
// control characters, and other bytes in hexadecimal.
func printable(raw []byte, text bool) string {
	if !text {
		return hex.Dump(raw)
	}
	var b strings.Builder
	for _, r := range string(raw) {
		switch {
		case r == '\n', r == '\t', unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func quarantineReplay(r *remote) *cobra.Command {
	var (
		s   selection
		all bool
	)
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Take entries in again, after their cause was mended",
		Long: `Take entries in again, after their cause was mended: a field was added to the
schema, or a device to the registry. Those that still can't be stored are
entries anew. Entries that were published by another than their device
(foreign_device) are left alone.`,
		Example: `  fleetwatt quarantine replay 17 18
  fleetwatt quarantine replay --reason unknown_field`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			chosen := 0
			for _, given := range []bool{len(ids) > 0, !s.empty(), all} {
				if given {
					chosen++
				}
			}
			if chosen != 1 {
				return errors.New("say what to replay: either ids, or a filter, or --all")
			}
			sum, err := replayAll(cmd, r, ids, &s)
			if err != nil {
				return fmt.Errorf("after %d entries: %w", sum.Entries, err)
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), sum)
			}
			return printReplayed(cmd.OutOrStdout(), &sum)
		},
	}
	s.bind(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "replay everything")
	return cmd
}

// replayAll replays the ids, or else what is selected, in as many steps as the
// server wants. After an error the sum tells what was done.
func replayAll(cmd *cobra.Command, r *remote, ids []string, s *selection) (sum api.Replayed, err error) {
	query, err := s.query()
	if err != nil {
		return sum, err
	}
	c, err := r.client()
	if err != nil {
		return sum, err
	}
	sum.Reasons, sum.Failed = []api.ReasonCount{}, []api.Refailed{}
	step := func(path string, query url.Values) (api.Replayed, error) {
		var done api.Replayed
		_, err := c.Call(cmd.Context(), http.MethodPost, "/quarantine/"+path, query, nil, &done)
		add(&sum, &done)
		return done, err
	}
	for _, arg := range ids {
		id, err := entryID(arg)
		if err != nil {
			return sum, err
		}
		if _, err := step(id+"/replay", nil); err != nil {
			return sum, err
		}
	}
	for more := len(ids) == 0; more; {
		done, err := step("replay", query)
		if err != nil {
			return sum, err
		}
		more = done.More
		query.Set("after", strconv.FormatInt(done.After, 10))
		query.Set("through", strconv.FormatInt(done.Through, 10))
	}
	return sum, nil
}

func add(sum, done *api.Replayed) {
	sum.Entries += done.Entries
	sum.Stored += done.Stored
	sum.Quarantined += done.Quarantined
	sum.Skipped += done.Skipped
	sum.After, sum.Through = done.After, done.Through
	sum.Failed = append(sum.Failed, done.Failed...)
	for _, n := range done.Reasons {
		known := false
		for i := range sum.Reasons {
			if sum.Reasons[i].Reason == n.Reason {
				sum.Reasons[i].Count += n.Count
				known = true
			}
		}
		if !known {
			sum.Reasons = append(sum.Reasons, n)
		}
	}
}

// shownFailures bounds what replay prints one by one.
const shownFailures = 10

func printReplayed(w io.Writer, sum *api.Replayed) error {
	fmt.Fprintf(w, "%d entries taken in again: %d records stored, %d in quarantine again\n", sum.Entries, sum.Stored, sum.Quarantined)
	if sum.Skipped > 0 {
		fmt.Fprintf(w, "%d entries left alone: another than their device had published them\n", sum.Skipped)
	}
	if sum.Quarantined == 0 {
		return nil
	}
	fmt.Fprintln(w)
	if err := table(w, []string{"STILL", "RECORDS"}, countRows(sum.Reasons)); err != nil {
		return err
	}
	rows := [][]string{}
	for _, f := range sum.Failed[:min(len(sum.Failed), shownFailures)] {
		rows = append(rows, []string{strconv.FormatInt(f.Entry, 10), strconv.FormatInt(f.ID, 10), f.Device, f.Reason, f.Detail})
	}
	fmt.Fprintln(w)
	return table(w, []string{"ENTRY", "NOW", "DEVICE", "REASON", "DETAIL"}, rows)
}
