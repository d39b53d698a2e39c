package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/devices"
)

// exporting is what a run of export is asked for.
type exporting struct {
	remote
	kind, from, to, format, times, out string
	devices, fields                    []string
	force                              bool
}

func exportCommand() *cobra.Command {
	var e exporting
	cmd := &cobra.Command{
		Use:   "export --kind KIND --from TIME --out FILE",
		Short: "Write stored readings to a CSV or Parquet file",
		Long: `Write stored readings of a running server to a CSV or Parquet file, sorted by
device and time. The file appears under its name when it is whole.`,
		Example: `  fleetwatt export --kind battery --from 30d --out batteries.parquet
  fleetwatt export --kind building --device b-01 --field power_w --from 2026-01-01 --to 2026-02-01 --out - | gzip > january.csv.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := e.query()
			if err != nil {
				return err
			}
			if e.out == "" {
				return errors.New("out: want a file, or - for standard output")
			}
			if e.out == "-" {
				if e.format == "parquet" && isTerminal(cmd.OutOrStdout()) {
					return errors.New("out: a terminal can't show Parquet")
				}
				if e.json {
					return errors.New("json: says how an export went, and standard output is taken by it; give --out a file")
				}
				rows, err := e.fetch(cmd, query, cmd.OutOrStdout())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%d readings\n", rows)
				return nil
			}
			rows, err := e.toFile(cmd, query)
			if err != nil {
				return err
			}
			return e.print(cmd, exported{Readings: rows, Out: e.out}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d readings in %s\n", rows, e.out)
				return err
			})
		},
	}
	e.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&e.kind, "kind", "", "battery, building or station")
	f.StringSliceVar(&e.devices, "device", nil, "only this device: its id; may be repeated")
	f.StringSliceVar(&e.fields, "field", nil, "only this field; may be repeated")
	f.StringVar(&e.from, "from", "", "start, inclusive: a time, a date in UTC, or how long ago (24h, 30d)")
	f.StringVar(&e.to, "to", "", "end, exclusive; default: now")
	f.StringVar(&e.format, "format", "", "csv or parquet; default: as the file's name ends, or csv")
	f.StringVar(&e.times, "time", "rfc3339", "times in CSV: rfc3339 or epoch_ms")
	f.StringVar(&e.out, "out", "", "file to write, or - for standard output")
	f.BoolVar(&e.force, "force", false, "overwrite the file")
	return cmd
}

// query is the request, and completes the format.
func (e *exporting) query() (url.Values, error) {
	var errs []error
	if _, err := devices.ParseKind(e.kind); err != nil {
		errs = append(errs, fmt.Errorf("kind: %w", err))
	}
	if e.from == "" {
		errs = append(errs, errors.New("from: want the time of the first reading"))
	}
	if e.format == "" {
		e.format = "csv"
		if strings.HasSuffix(e.out, ".parquet") {
			e.format = "parquet"
		}
	}
	if !slices.Contains([]string{"csv", "parquet"}, e.format) {
		errs = append(errs, fmt.Errorf("format: %q: want csv or parquet", e.format))
	}
	q := url.Values{"format": {e.format}, "time": {e.times}}
	errs = append(errs, setMoment(q, "from", e.from), setMoment(q, "to", e.to))
	for i, id := range e.devices {
		// The id alone is enough, and kind/id does no harm.
		id = strings.TrimPrefix(id, e.kind+"/")
		if !devices.ValidID(id) {
			errs = append(errs, fmt.Errorf("device: %q is not the id of a %s", id, e.kind))
		}
		e.devices[i] = id
	}
	if len(e.devices) > 0 {
		q.Set("devices", strings.Join(e.devices, ","))
	}
	if len(e.fields) > 0 {
		q.Set("fields", strings.Join(e.fields, ","))
	}
	return q, errors.Join(errs...)
}

// exported is what --json shows.
type exported struct {
	Readings int64  `json:"readings"`
	Out      string `json:"out"`
}

// target is the file that gets the name, behind the links that e.out may be. What
// is there and no file, like a device or a pipe, is refused: the file would take
// its place.
func (e *exporting) target() (string, error) {
	path, err := filepath.EvalSymlinks(e.out)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(e.out); err == nil {
			return "", fmt.Errorf("out: %s is a link to nothing", e.out)
		}
		return e.out, nil
	}
	if err != nil {
		return "", fmt.Errorf("out: %w", err)
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("out: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("out: %s is there, and no file; --out - writes to standard output, which may go anywhere", e.out)
	case !e.force:
		return "", fmt.Errorf("out: %s exists; --force overwrites it", e.out)
	}
	return path, nil
}

// toFile writes beside the file, which gets its name when it is whole and on
// disk.
func (e *exporting) toFile(cmd *cobra.Command, query url.Values) (rows int64, err error) {
	path, err := e.target()
	if err != nil {
		return 0, err
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("out: %w", err)
	}
	rows, err = e.fetch(cmd, query, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return 0, fmt.Errorf("%w%s", err, discarded(part))
	}
	return rows, nil
}

func discarded(part string) string {
	if err := os.Remove(part); err != nil {
		return "; " + part + " is not whole, and can't be removed: " + err.Error()
	}
	return ""
}

// fetch writes the export to w. It is whole where the server says after it how
// many readings it has.
func (e *exporting) fetch(cmd *cobra.Command, query url.Values, w io.Writer) (rows int64, err error) {
	c, err := e.client()
	if err != nil {
		return 0, err
	}
	res, err := c.Download(cmd.Context(), "/export/"+url.PathEscape(e.kind), query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // what counts is the trailer
	if _, err := io.Copy(w, res.Body); err != nil {
		switch {
		case cmd.Context().Err() != nil:
			err = client.ErrInterrupted
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("the server broke off; its log says why")
		}
		return 0, fmt.Errorf("the export is not whole: %w", err)
	}
	rows, err = strconv.ParseInt(res.Trailer.Get("X-Row-Count"), 10, 64)
	if err != nil {
		return 0, errors.New("the export is not whole, as far as one can tell: it ended without the number of readings (a proxy that drops trailers?)")
	}
	return rows, nil
}
