package report

import (
	_ "embed" // the templates are part of the program
	"fmt"
	"html/template"
	"io"
	"strings"
	text "text/template"
)

//go:embed page.html
var pageHTML string

//go:embed page.md
var pageMarkdown string

//go:embed style.css
var styleCSS string

// HTML writes the report as one page that needs nothing else. It is well-formed
// XML, too. An error is one of w, or says that a meter has no assessment.
func HTML(w io.Writer, r Report) error {
	return render(w, r, func(w io.Writer, p page) error {
		t, err := template.New("page").Funcs(template.FuncMap{
			"style":    func() template.CSS { return template.CSS(styleCSS) }, //nolint:gosec // it is ours
			"numeric":  (*table).numeric,
			"isNumber": isNumber,
		}).Parse(pageHTML)
		if err != nil {
			return fmt.Errorf("parse template: %w", err)
		}
		return t.Execute(w, p)
	})
}

// Markdown writes the report, without its charts, in the form of GitHub's. The
// errors are those of HTML.
func Markdown(w io.Writer, r Report) error {
	return render(w, r, func(w io.Writer, p page) error {
		t, err := text.New("page").Funcs(text.FuncMap{
			"md":       inMarkdown,
			"code":     inCode,
			"numeric":  (*table).numeric,
			"isNumber": isNumber,
		}).Parse(pageMarkdown)
		if err != nil {
			return fmt.Errorf("parse template: %w", err)
		}
		return t.Execute(w, p)
	})
}

// numeric reports whether a column holds numbers.
func (t *table) numeric(column int) bool {
	for _, row := range t.Rows {
		if column < len(row) && isNumber(row[column]) {
			return true
		}
	}
	return false
}

func isNumber(x any) bool {
	_, ok := x.(Number)
	return ok
}

// inCode drops what would end a span of code, or look like a tag within one.
func inCode(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("`<>[]{}|", r) {
			return -1
		}
		return r
	}, plain(s))
}

// inMarkdown escapes what Markdown, or the HTML within it, would take for its
// own.
func inMarkdown(x any) string {
	var out strings.Builder
	for _, r := range fmt.Sprint(x) {
		switch {
		case strings.ContainsRune("\\`*_{}[]<>#|!~&", r):
			out.WriteByte('\\')
		case r == '\n' || r == '\r' || r == '\t':
			r = ' '
		}
		out.WriteRune(r)
	}
	return out.String()
}
