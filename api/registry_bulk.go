package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// MaxImport and MaxUnpacked bound a file that is imported, in bytes: as it is sent,
// and once it is unpacked.
const (
	MaxImport   = maxImport
	MaxUnpacked = 32 << 20
)

// importTime is how long an import may take, less than our command waits. Tens of
// thousands of lines take longer than other requests may.
const importTime = 100 * time.Second

// Bulk reads and writes the entries of a kind as a CSV file. Error:
// *registry.Invalid.
type Bulk interface {
	Import(ctx context.Context, kind string, file io.Reader, dryRun bool) (registry.Imported, error)
	Export(ctx context.Context, kind string, to io.Writer) error
}

// ImportReport is what an import did, or would do.
type ImportReport struct {
	Kind      string          `json:"kind"`
	DryRun    bool            `json:"dry_run" doc:"true: nothing was changed"`
	Created   int             `json:"created"`
	Updated   int             `json:"updated"`
	Unchanged int             `json:"unchanged" doc:"lines that say what is registered"`
	Problems  []ImportProblem `json:"problems" nullable:"false" doc:"of at most 1,000 cells; of a dry run alone, for an import with any is refused as a whole"`
}

// ImportProblem is why a line can't be accepted.
type ImportProblem struct {
	Line   int    `json:"line" doc:"of the file, from 1"`
	Column string `json:"column,omitempty" doc:"absent: the line as a whole"`
	Detail string `json:"detail"`
}

type bulkImportInput struct {
	Kind    string `query:"kind" required:"true" enum:"owner,site,station,battery,building"`
	DryRun  bool   `query:"dry_run" doc:"only say what would be done"`
	RawBody []byte `contentType:"text/csv" required:"true"`
}

type bulkExportInput struct {
	Kind string `query:"kind" required:"true" enum:"owner,site,station,battery,building"`
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (a *API) routeBulk() {
	add(a, operation{
		id: "import-registry", method: http.MethodPost, path: "/import", tag: "registry", right: access.Operate,
		summary: "Register and change many at once from a CSV file",
		notes: "The first line names the columns, which are the properties as they are called here, id among them. " +
			"What has no column stays as it is; an empty text is cleared; another empty cell stays. " +
			"All lines are made or none: each that can't be accepted is told. A file may have 8 MiB, also as gzip.",
		errors: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}, file: true, patient: true,
	}, a.importRegistry)
	add(a, operation{
		id: "export-registry", method: http.MethodGet, path: "/export/registry", tag: "registry", right: access.Operate,
		summary: "All of a kind as a CSV file, as it can be imported",
		content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}, a.exportRegistry)
}

func (a *API) importRegistry(ctx context.Context, in *bulkImportInput) (*itemOutput[ImportReport], error) {
	ctx, cancel := context.WithTimeout(ctx, importTime)
	defer cancel()
	file, err := plain(in.RawBody)
	if err != nil {
		return nil, err
	}
	if !in.DryRun {
		// Before and after, as resource.handlePatch does it. Who will be rerated a
		// dry run tells.
		will, err := a.opts.Registry.Import(ctx, in.Kind, file, true)
		if err != nil {
			return nil, err
		}
		if len(will.Problems) > 0 {
			return nil, refusedLines(will.Problems)
		}
		if err := a.recomputeAll(ctx, will.Rerated); err != nil {
			return nil, err
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	done, err := a.opts.Registry.Import(ctx, in.Kind, file, in.DryRun)
	if err != nil {
		return nil, err
	}
	if !in.DryRun {
		if err := a.recomputeAll(ctx, done.Rerated); err != nil {
			return nil, err
		}
	}
	if len(done.Problems) > 0 && !in.DryRun {
		return nil, refusedLines(done.Problems)
	}
	report := ImportReport{
		Kind: in.Kind, DryRun: in.DryRun, Created: done.Created, Updated: done.Updated, Unchanged: done.Unchanged,
		Problems: make([]ImportProblem, len(done.Problems)),
	}
	for i, p := range done.Problems {
		report.Problems[i] = ImportProblem(p)
	}
	return &itemOutput[ImportReport]{Body: report}, nil
}

// recomputeAll has the results of batteries worked out anew.
func (a *API) recomputeAll(ctx context.Context, batteries []devices.Ref) error {
	for _, ref := range batteries {
		if err := a.recompute(ctx, ref.ID); err != nil {
			return err
		}
	}
	return nil
}

// refusedLines is a 422 that names each cell at fault.
func refusedLines(problems []registry.LineProblem) error {
	details := make([]error, len(problems))
	for i, p := range problems {
		at := fmt.Sprintf("body.line%d", p.Line)
		if p.Column != "" {
			at += "." + p.Column
		}
		details[i] = &huma.ErrorDetail{Location: at, Message: p.Detail}
	}
	return huma.Error422UnprocessableEntity("nothing was imported: some lines can't be accepted", details...)
}

func (a *API) exportRegistry(ctx context.Context, in *bulkExportInput) (*fileOutput, error) {
	var file bytes.Buffer
	if err := a.opts.Registry.Export(ctx, in.Kind, &file); err != nil {
		return nil, err
	}
	return &fileOutput{
		ContentType: "text/csv; charset=utf-8", Disposition: `attachment; filename="` + in.Kind + `.csv"`, Body: file.Bytes(),
	}, nil
}
