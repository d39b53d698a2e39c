package api

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// MoneyImport is what an import did, or would do.
type MoneyImport struct {
	DryRun    bool            `json:"dry_run" doc:"true: nothing was entered"`
	Created   int             `json:"created"`
	Unchanged int             `json:"unchanged" doc:"lines that say what is there already"`
	Problems  []ImportProblem `json:"problems" nullable:"false" doc:"of at most 1,000 cells; of a dry run alone, for an import with any is refused as a whole"`
}

type moneyImportInput struct {
	DryRun  bool   `query:"dry_run" doc:"only say what would be done"`
	RawBody []byte `contentType:"text/csv" required:"true"`
}

func (a *API) importMoney(ctx context.Context, in *moneyImportInput) (*itemOutput[MoneyImport], error) {
	lines, problems, err := accounts.ReadEntries(bytes.NewReader(in.RawBody))
	if err != nil {
		return nil, badParameter("body", err.Error(), nil)
	}
	more, err := a.strangersOf(ctx, lines)
	if err != nil {
		return nil, err
	}
	there, err := a.compareLines(ctx, lines)
	if err != nil {
		return nil, err
	}
	problems = append(append(problems, more...), there...)
	slices.SortStableFunc(problems, func(x, y accounts.LineProblem) int { return x.Line - y.Line })
	report := MoneyImport{DryRun: in.DryRun, Problems: []ImportProblem{}}
	if len(problems) > 0 && !in.DryRun {
		refused := make([]registry.LineProblem, len(problems))
		for i, p := range problems {
			refused[i] = registry.LineProblem(p)
		}
		return nil, refusedLines(refused)
	}
	bad := map[int]bool{}
	for _, p := range problems {
		bad[p.Line] = true
		report.Problems = append(report.Problems, ImportProblem(p))
	}
	good := make([]accounts.Entry, 0, len(lines))
	for _, l := range lines {
		if !bad[l.Line] {
			good = append(good, l.Entry)
		}
	}
	if in.DryRun {
		report.Unchanged, err = a.known(ctx, good)
		report.Created = len(good) - report.Unchanged
		return &itemOutput[MoneyImport]{Body: report}, err
	}
	if report.Created, err = a.opts.Money.EnterMoney(ctx, good, access.From(ctx).Name); err != nil {
		return nil, moneyProblem(err)
	}
	report.Unchanged = len(good) - report.Created
	return &itemOutput[MoneyImport]{Body: report}, nil
}

// strangersOf are the lines that name what does not exist. Each name is looked up
// once.
func (a *API) strangersOf(ctx context.Context, lines []accounts.Line) ([]accounts.LineProblem, error) {
	var out []accounts.LineProblem
	exists := map[string]bool{}
	for _, l := range lines {
		for column, name := range map[string]string{"asset": l.Entry.Asset, "owner_id": l.Entry.Owner} {
			if name == "" {
				continue
			}
			key := column + " " + name
			if _, ok := exists[key]; !ok {
				var err error
				if column == "asset" {
					err = a.assetExists(ctx, name)
				} else {
					_, err = a.opts.Registry.GetOwner(ctx, name)
				}
				if err != nil && !errors.Is(err, registry.ErrNotFound) {
					return nil, err
				}
				exists[key] = err == nil
			}
			if !exists[key] {
				out = append(out, accounts.LineProblem{Line: l.Line, Column: column, Detail: "there is no " + name})
			}
		}
	}
	return out, nil
}

// idsAtOnce bounds how many ids are asked for in one query.
const idsAtOnce = 500

// thereAlready are the entries that have one of the ids.
func (a *API) thereAlready(ctx context.Context, ids []string) (map[string]*accounts.Entry, error) {
	out := map[string]*accounts.Entry{}
	for part := range slices.Chunk(ids, idsAtOnce) {
		found, err := a.opts.Money.Money(ctx, ledger.MoneyQuery{IDs: part})
		if err != nil {
			return nil, err
		}
		for i := range found {
			out[found[i].ID] = &found[i]
		}
	}
	return out, nil
}

// compareLines are the lines whose id is that of an entry that says something else.
func (a *API) compareLines(ctx context.Context, lines []accounts.Line) ([]accounts.LineProblem, error) {
	ids := make([]string, len(lines))
	for i, l := range lines {
		ids[i] = l.Entry.ID
	}
	there, err := a.thereAlready(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out []accounts.LineProblem
	for _, l := range lines {
		if old := there[l.Entry.ID]; old != nil && !old.Same(&l.Entry) {
			out = append(out, accounts.LineProblem{Line: l.Line, Column: "id", Detail: ledger.ErrBooked.Error()})
		}
	}
	return out, nil
}

// known counts the entries that are there already.
func (a *API) known(ctx context.Context, entries []accounts.Entry) (int, error) {
	ids := make([]string, len(entries))
	for i := range entries {
		ids[i] = entries[i].ID
	}
	there, err := a.thereAlready(ctx, ids)
	return len(there), err
}
