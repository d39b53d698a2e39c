package api

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Page is a part of a list by number: limit items from offset on.
type Page struct {
	Limit  int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"greatest number of items"`
	Offset int `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"items to skip"`

	target url.URL
}

// Resolve keeps the request's URL, from which the links are made.
func (p *Page) Resolve(ctx huma.Context) []error {
	p.target = ctx.URL()
	return nil
}

var _ huma.Resolver = (*Page)(nil)

// listOutput is the answer of a list.
type listOutput[T any] struct {
	Link       string `header:"Link" doc:"RFC 8288 links to the first, prev, next and last page"`
	TotalCount string `header:"X-Total-Count" doc:"items on all pages"`
	Body       items[T]
}

type items[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

// list answers with one page out of total items.
func list[T any](p Page, of []T, total int) *listOutput[T] {
	if of == nil {
		of = []T{}
	}
	return &listOutput[T]{Link: p.links(total), TotalCount: strconv.Itoa(total), Body: items[T]{Items: of}}
}

// links are the pages around p, as relative references with p's own filters.
func (p Page) links(total int) string {
	last := 0
	if total > 0 {
		last = (total - 1) / p.Limit * p.Limit
	}
	links := []string{p.link("first", 0)}
	if p.Offset > 0 {
		links = append(links, p.link("prev", max(0, min(p.Offset-p.Limit, last))))
	}
	if p.Offset+p.Limit < total {
		links = append(links, p.link("next", p.Offset+p.Limit))
	}
	return strings.Join(append(links, p.link("last", last)), ", ")
}

func (p Page) link(rel string, offset int) string {
	return link(p.target, rel, map[string]string{
		"limit":  strconv.Itoa(p.Limit),
		"offset": strconv.Itoa(offset),
	})
}

// link is an RFC 8288 link to target with some of its parameters replaced.
func link(target url.URL, rel string, set map[string]string) string {
	q := target.Query()
	for k, v := range set {
		q.Set(k, v)
	}
	ref := url.URL{Path: target.Path, RawPath: target.RawPath, RawQuery: q.Encode()}
	return "<" + ref.String() + `>; rel="` + rel + `"`
}
