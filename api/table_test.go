package api

import (
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type toyInput struct{ Query }

type toyScore struct {
	Value  *float64 `json:"value"`
	Status string   `json:"status" enum:"ok,insufficient_data"`
}

type toyBase struct {
	ID string `json:"id"`
}

type toyRow struct {
	toyBase
	Name  string    `json:"name,omitempty"`
	Score *toyScore `json:"score,omitempty"`
	Born  *Time     `json:"born,omitempty"`
	Live  bool      `json:"live"`
	Count int       `json:"count,omitempty"`
	Parts []string  `json:"parts"`
}

func toys() []toyRow {
	num := func(f float64) *float64 { return &f }
	day := func(n int64) *Time { t := Time(n * 86_400_000); return &t }
	return []toyRow{
		{toyBase: toyBase{"b"}, Name: "=1+1", Score: &toyScore{num(70), "ok"}, Born: day(10), Live: true, Count: 3},
		{toyBase: toyBase{"a"}, Name: `said "no", left`, Score: &toyScore{num(90.5), "ok"}, Born: day(20)},
		{toyBase: toyBase{"d"}, Score: &toyScore{nil, "insufficient_data"}, Count: 1, Parts: []string{"x"}},
		{toyBase: toyBase{"c"}, Live: true, Score: &toyScore{num(70), "ok"}},
	}
}

// serveToys starts a server that has a table of toys too.
func serveToys(t *testing.T) *server {
	return startWith(t, func(a *API) {
		addTable(a, operation{id: "list-toys", path: "/toys", tag: "toys", summary: "Toys"}, tableSpec{
			name: "toys", aliases: map[string]string{"health": "score.value"},
			filters: []string{"health", "born", "score.status", "live", "name"}, sort: []string{"id"},
		}, func(context.Context, *toyInput) ([]toyRow, error) { return toys(), nil })
	})
}

func TestTableNarrowsAndSorts(t *testing.T) {
	s := serveToys(t)
	tests := []struct {
		name, query string
		want        []string
	}{
		{"all, in the table's order", "", []string{"a", "b", "c", "d"}},
		{"one column, missing last", "?sort=score.value", []string{"b", "c", "a", "d"}},
		{"descending, missing last", "?sort=-health", []string{"a", "b", "c", "d"}},
		{"two columns", "?sort=-health,-id", []string{"a", "c", "b", "d"}},
		{"less", "?health_lt=90.5", []string{"b", "c"}},
		{"at most", "?health_lte=90.5&health_gt=70", []string{"a"}},
		{"at least", "?health_gte=70", []string{"a", "b", "c"}},
		{"before a date", "?born_before=1970-01-21", []string{"b"}},
		{"from an instant", "?born_from=1970-01-21T02:00:00%2B02:00", []string{"a"}},
		{"one of", "?score_status=insufficient_data,ok", []string{"a", "b", "c", "d"}},
		{"status", "?score_status=insufficient_data", []string{"d"}},
		{"flag", "?live=true", []string{"b", "c"}},
		{"text", "?name=%3D1%2B1", []string{"b"}},
		{"nothing", "?name=nobody", nil},
		{"page", "?limit=2&offset=1", []string{"b", "c"}},
		{"beyond the last page", "?offset=9", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, row := range must[items[toyRow]](s, http.StatusOK, http.MethodGet, prefix+"/toys"+tt.query, "").Items {
				got = append(got, row.ID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	a := s.get(prefix + "/toys?limit=1&health_gt=0")
	if got := a.header.Get("X-Total-Count"); got != "3" {
		t.Errorf("X-Total-Count: got %s, want 3", got)
	}
	if got := a.header.Get("Link"); !strings.Contains(got, `offset=1>; rel="next"`) || !strings.Contains(got, "health_gt=0") {
		t.Errorf("Link: got %s", got)
	}
}

func TestTableNamesTheParametersAtFault(t *testing.T) {
	s := serveToys(t)
	p := refused(t, s.get(prefix+"/toys?sort=nope&health_lt=x&born_before=soon&live=maybe&score_status=fine&fields=id,what"), http.StatusUnprocessableEntity)
	got := p.locations()
	slices.Sort(got)
	want := []string{"query.born_before", "query.fields", "query.health_lt", "query.live", "query.score_status", "query.sort"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, query := range []string{"?health_lt=NaN", "?health_lt=Inf", "?born_from=9999-01-01"} {
		refused(t, s.get(prefix+"/toys"+query), http.StatusUnprocessableEntity)
	}
	if got := refused(t, s.get(prefix+"/toys?weight_lt=1"), http.StatusUnprocessableEntity).locations(); !slices.Equal(got, []string{"query.weight_lt"}) {
		t.Errorf("got %v, want query.weight_lt", got)
	}
}

func TestTableWritesWhatIsAskedFor(t *testing.T) {
	s := serveToys(t)
	tests := []struct{ name, query, want string }{
		{"sparse", "?fields=id,score.value&limit=1", `{"items":[{"id":"a","score":{"value":90.5}}]}` + "\n"},
		{"an object whole", "?fields=score,score.value&limit=1", `{"items":[{"score":{"value":90.5,"status":"ok"}}]}` + "\n"},
		{"no scalar", "?fields=parts&offset=3", `{"items":[{"parts":["x"]}]}` + "\n"},
		{"csv", "?format=csv", "id,name,score.value,score.status,born,live,count\r\n" +
			"a,\"said \"\"no\"\", left\",90.5,ok,1970-01-21T00:00:00.000Z,false,\r\n" +
			"b,'=1+1,70,ok,1970-01-11T00:00:00.000Z,true,3\r\n" + "c,,70,ok,,true,\r\n" + "d,,,insufficient_data,,false,1\r\n"},
		{"sparse csv", "?format=csv&fields=id,score&limit=1", "id,score.value,score.status\r\na,90.5,ok\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.get(prefix + "/toys" + tt.query); got.body != tt.want || got.status != http.StatusOK {
				t.Errorf("got %d\n%s\nwant\n%s", got.status, got.body, tt.want)
			}
		})
	}
	a := s.send(http.MethodGet, prefix+"/toys", "", map[string]string{
		"Authorization": "Bearer " + testKey, "Accept": "application/json;q=0.5, text/csv",
	})
	if got := a.header.Get("Content-Type"); got != mimeCSV {
		t.Errorf("Content-Type: got %s", got)
	}
	if got := a.header.Get("Content-Disposition"); got != `attachment; filename="toys.csv"` {
		t.Errorf("Content-Disposition: got %s", got)
	}
	records, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(records) != 5 {
		t.Errorf("got %d records, %v; want a header and four rows", len(records), err)
	}
}

func TestTableIsInTheDocument(t *testing.T) {
	s := serveToys(t)
	op := s.api.huma.OpenAPI().Paths[prefix+"/toys"].Get
	for _, want := range []string{"limit", "offset", "sort", "fields", "format", "health_lt", "born_before", "score_status", "live"} {
		found := false
		for _, p := range op.Parameters {
			found = found || p.Name == want && p.In == "query"
		}
		if !found {
			t.Errorf("no parameter %s", want)
		}
	}
	if got := op.Responses["200"].Content; got["text/csv"] == nil || got["application/json"] == nil {
		t.Errorf("got content %v, want JSON and CSV", got)
	}
}
