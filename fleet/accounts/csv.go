package accounts

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// LineProblem is why a line of a file can't be entered.
type LineProblem struct {
	Line   int    // from 1
	Column string // empty: the line as a whole
	Detail string
}

// Line is an entry and where in the file it stands.
type Line struct {
	Line  int
	Entry Entry
}

// Bounds of a file.
const (
	maxLines    = 20_000
	maxProblems = 1000
)

func needed() []string   { return []string{"id", "at", "kind", "amount", "currency"} }
func optional() []string { return []string{"asset", "owner_id", "partner", "note"} }

// ReadEntries reads entries from CSV with a header. A time is RFC 3339, or a date,
// which is its beginning in UTC. Lines that can't be entered are told, the first
// thousand of them; an error is of the file as a whole.
func ReadEntries(from io.Reader) (lines []Line, problems []LineProblem, err error) {
	text := bufio.NewReader(from)
	const mark = "\ufeff" // as spreadsheets begin a file, before a quote, too
	if start, _ := text.Peek(len(mark)); string(start) == mark {
		_, _ = text.Discard(len(mark))
	}
	r := csv.NewReader(text)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("line 1: want a header: %w", err)
	}
	names := slices.Clone(header)
	for i, name := range names {
		name = strings.TrimSpace(name)
		names[i] = name
		if !slices.Contains(needed(), name) && !slices.Contains(optional(), name) {
			return nil, nil, fmt.Errorf("line 1: there is no column %q", name)
		}
		if slices.Contains(names[:i], name) {
			return nil, nil, fmt.Errorf("line 1: the column %q is there twice", name)
		}
	}
	for _, name := range needed() {
		if !slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("line 1: the column %q is missing", name)
		}
	}
	first := map[string]int{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) || len(problems) >= maxProblems {
			return lines, problems, nil
		}
		if err != nil {
			var wrong *csv.ParseError
			if !errors.As(err, &wrong) {
				return nil, nil, err
			}
			problems = append(problems, LineProblem{wrong.Line, "", wrong.Err.Error()})
			if !errors.Is(err, csv.ErrFieldCount) {
				return lines, problems, nil // what follows can't be told apart
			}
			continue
		}
		line, _ := r.FieldPos(0)
		if len(lines) == maxLines {
			return nil, nil, fmt.Errorf("the file has more than %d lines", maxLines)
		}
		e, found := readEntry(names, record)
		if before, ok := first[e.ID]; ok {
			found = append(found, Problem{"id", fmt.Sprintf("is that of line %d, too", before)})
		}
		first[e.ID] = line
		for _, p := range found {
			problems = append(problems, LineProblem{line, p.Field, p.Detail})
		}
		lines = append(lines, Line{line, e})
	}
}

func readEntry(names, record []string) (Entry, []Problem) {
	cell := map[string]string{}
	for i, name := range names {
		cell[name] = record[i]
	}
	e := Entry{
		ID: cell["id"], Kind: statement.Kind(cell["kind"]), Asset: cell["asset"], Owner: cell["owner_id"], Partner: cell["partner"], Note: cell["note"],
	}
	var p []Problem
	at, err := time.Parse(time.RFC3339, cell["at"])
	if err != nil {
		at, err = time.Parse(time.DateOnly, cell["at"])
	}
	if err != nil {
		p = append(p, Problem{"at", "wants a time like 2026-03-31T12:00:00Z, or a date"})
	} else {
		e.At = at.UnixMilli()
	}
	if e.Amount, err = money.Parse(cell["amount"], money.Currency(cell["currency"])); err != nil {
		column := "amount"
		if errors.Is(err, money.ErrCurrency) {
			column = "currency"
		}
		return e, append(p, Problem{column, err.Error()})
	}
	for _, wrong := range e.Check() {
		wrong.Field = strings.TrimPrefix(wrong.Field, "amount.") // a column of its own
		p = append(p, wrong)
	}
	return e, p
}
