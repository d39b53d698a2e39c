package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

func registryCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Read and write the registry of a running server as CSV",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	r.bind(cmd)
	cmd.AddCommand(registryExport(&r), registryImport(&r))
	return cmd
}

func sheetKinds() string { return strings.Join(registry.SheetKinds(), ", ") }

func checkKind(kind string) error {
	if !slices.Contains(registry.SheetKinds(), kind) {
		return fmt.Errorf("kind: %q: want one of %s", kind, sheetKinds())
	}
	return nil
}

func registryExport(r *remote) *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:     "export --kind KIND",
		Short:   "Write all of a kind to standard output, as import reads it",
		Example: `  fleetwatt registry export --kind battery > batteries.csv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.json {
				return errors.New("json: the registry is exported as CSV; the API has it as JSON")
			}
			if err := checkKind(kind); err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			res, err := c.Download(cmd.Context(), "/export/registry", url.Values{"kind": {kind}})
			if err != nil {
				return err
			}
			defer func() { _ = res.Body.Close() }() // its length tells whether it is whole
			if _, err = io.Copy(cmd.OutOrStdout(), res.Body); err != nil {
				err = fmt.Errorf("the export is not whole: %w", err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", sheetKinds())
	return cmd
}

func registryImport(r *remote) *cobra.Command {
	var (
		kind   string
		dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "import --kind KIND FILE",
		Short: "Register and change many at once from a CSV file",
		Long: `Register and change many at once from a CSV file; - is standard input.

The first line names the columns, id among them, as export writes them. What has
no column stays as it is; an empty text is cleared; another empty cell stays. All
lines are made or none: each cell that can't be accepted is told. A file may have
32 MiB.`,
		Example: `  fleetwatt registry import --kind battery batteries.csv --dry-run
  fleetwatt registry import --kind battery batteries.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkKind(kind); err != nil {
				return err
			}
			file, err := readFile(cmd, args[0])
			if err != nil {
				return err
			}
			if file, err = packed(args[0], file); err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			report, err := importFile(cmd, c, kind, args[0], file, dryRun)
			if err != nil {
				return err
			}
			return r.print(cmd, report, func(w io.Writer) error {
				would := ""
				if dryRun {
					would = "would be "
				}
				_, err := fmt.Fprintf(w, "%d %screated, %d %schanged, %d stay as they are\n", report.Created, would, report.Updated, would, report.Unchanged)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", sheetKinds())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	return cmd
}

// readFile reads a file, or standard input.
func readFile(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}

// importFile asks what an import would do before it is done, because that names
// every cell at fault by line and column.
func importFile(cmd *cobra.Command, c *client.Client, kind, name string, file []byte, dryRun bool) (api.ImportReport, error) {
	report, err := upload(cmd, c, kind, name, file, true)
	for _, p := range report.Problems {
		where := fmt.Sprintf("%s:%d: ", name, p.Line)
		if p.Column != "" {
			where += p.Column + ": "
		}
		fmt.Fprintln(cmd.ErrOrStderr(), where+shown(p.Detail))
	}
	if n := len(report.Problems); n > 0 {
		return report, fmt.Errorf("%d problems in %s; nothing was done", n, name)
	}
	if err != nil || dryRun {
		return report, err
	}
	return upload(cmd, c, kind, name, file, false)
}

// packFrom is from how many bytes on a file is sent as gzip: it has to arrive
// within seconds.
const packFrom = 1 << 20

// packed is a file as it is sent. It refuses what the server would: the answer may
// be lost while the rest of the file is still on its way.
func packed(name string, file []byte) ([]byte, error) {
	switch {
	case len(file) < packFrom:
		return file, nil
	case len(file) > api.MaxUnpacked:
		return nil, tooLarge(name)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(file)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("%s: pack: %w", name, err)
	}
	if b.Len() > api.MaxImport {
		return nil, tooLarge(name)
	}
	return b.Bytes(), nil
}

func tooLarge(name string) error {
	return fmt.Errorf("%s is larger than the server takes at once, %d MiB, or %d MiB as gzip: split it", name, api.MaxUnpacked>>20, api.MaxImport>>20)
}

func upload(cmd *cobra.Command, c *client.Client, kind, name string, file []byte, dryRun bool) (report api.ImportReport, err error) {
	query := url.Values{"kind": {kind}, "dry_run": {strconv.FormatBool(dryRun)}}
	err = c.Upload(cmd.Context(), "/import", query, "text/csv", bytes.NewReader(file), &report)
	switch {
	case refusedWith(err, http.StatusRequestEntityTooLarge): // by what stands before the server
		err = tooLarge(name)
	case refusedWith(err, http.StatusUnprocessableEntity), refusedWith(err, http.StatusBadRequest):
		err = fmt.Errorf("%s: %w", name, err)
	}
	return report, err
}
