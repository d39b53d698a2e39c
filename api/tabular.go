package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"
)

// prefersCSV tells whether an Accept header wants CSV more than JSON.
func prefersCSV(accept string) bool {
	return negotiation.SelectQValue(accept, []string{"application/json", "text/csv"}) == "text/csv"
}

// answer is a page of the table as it was asked for, out of total rows. doc is
// what the rows stand in, as its items, which are empty.
func (s *selection[T]) answer(doc any, page iter.Seq[*T], total int) (*tableOutput, error) {
	out := &tableOutput{Link: s.query.links(total), TotalCount: strconv.Itoa(total), ContentType: "application/json"}
	var (
		body []byte
		err  error
	)
	if s.query.csv() {
		out.ContentType = mimeCSV
		out.ContentDisposition = `attachment; filename="` + s.name + `.csv"`
		if s.query.whole() {
			out.Link = ""
		}
		body, err = s.writeCSV(page)
	} else {
		body, err = s.writeJSON(doc, page)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", s.name, err)
	}
	out.Body = func(to huma.Context) {
		_, _ = to.BodyWriter().Write(body) // a copy in memory
		s.scratch.put(body)
	}
	return out, nil
}

func (s *selection[T]) writeJSON(doc any, page iter.Seq[*T]) ([]byte, error) {
	around, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	before, after, found := bytes.Cut(around, []byte(`"items":[]`))
	if !found {
		return nil, errors.New("the document has no place for the items")
	}
	out := append(s.scratch.get(), before...)
	out = append(out, `"items":[`...)
	first := true
	for row := range page {
		if !first {
			out = append(out, ',')
		}
		first = false
		if out, err = s.encode(out, reflect.ValueOf(row).Elem(), s.fields); err != nil {
			return nil, err
		}
	}
	out = append(append(out, ']'), after...)
	return append(out, '\n'), nil
}

// writeCSV writes RFC 4180: a header and a line for each row, ended by CRLF.
func (s *selection[T]) writeCSV(page iter.Seq[*T]) ([]byte, error) {
	columns := s.columns
	if s.fields != nil {
		columns = nil
		for _, c := range s.columns {
			if s.fields.has(c.name) {
				columns = append(columns, c)
			}
		}
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	line := make([]string, len(columns))
	for k, c := range columns {
		line[k] = c.name
	}
	if err := w.Write(line); err != nil {
		return nil, err
	}
	for one := range page {
		row := reflect.ValueOf(one).Elem()
		for n, c := range columns {
			line[n] = c.write(c.cell(row))
			if c.kind == textColumn {
				line[n] = harmless(line[n])
			}
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// harmless leads text that a spreadsheet would run as a formula with an
// apostrophe (OWASP, CSV Injection).
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
