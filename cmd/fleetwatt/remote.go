package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
)

// remote is the running server that an operator's command speaks to, and how
// the command shows what it says.
type remote struct {
	server, key, data string
	json              bool
}

// bind gives cmd and its subcommands the flags.
func (r *remote) bind(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&r.server, "server", "", "URL of the server (FLEETWATT_SERVER; default http://127.0.0.1:8080)")
	f.StringVar(&r.key, "api-key", "", "admin key of the server (FLEETWATT_API_KEY, which no other user of the machine sees)")
	f.StringVar(&r.data, "data", "", "data directory of the server, to read its admin.key (FLEETWATT_DATA; default ./data)")
	f.BoolVar(&r.json, "json", false, "print JSON")
}

func (r *remote) client() (*client.Client, error) {
	key, err := r.adminKey()
	if err != nil {
		return nil, err
	}
	return client.New(cmp.Or(r.server, os.Getenv(config.EnvName("server")), "http://127.0.0.1:8080"), key)
}

// adminKey is the key that was given, or the one that the server keeps in its
// data directory.
func (r *remote) adminKey() (string, error) {
	if key := cmp.Or(r.key, os.Getenv(config.EnvName("api-key"))); key != "" && r.data == "" {
		return key, nil
	} else if r.key != "" {
		return "", errors.New("give --api-key or --data, not both")
	}
	path := filepath.Join(cmp.Or(r.data, os.Getenv(config.EnvName("data")), config.Default().Data), "admin.key")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no key: give --api-key or FLEETWATT_API_KEY, or --data with the server's data directory (there is no %s)", path)
	}
	if err != nil {
		return "", fmt.Errorf("read admin key: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// refusedWith tells whether err is the server's no with the status.
func refusedWith(err error, status int) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Status == status
}

// page is a list as the API answers it.
type page[T any] struct {
	Items []T `json:"items"`
}

// pageSize is the greatest number of items in one answer of the API.
const pageSize = 1000

// listAll gets a list page by page until limit items are there, and says how
// many the server has.
func listAll[T any](cmd *cobra.Command, c *client.Client, path string, query url.Values, limit int) (all []T, total int, err error) {
	all = []T{}
	for len(all) < limit {
		query.Set("limit", strconv.Itoa(min(pageSize, limit-len(all))))
		query.Set("offset", strconv.Itoa(len(all)))
		var p page[T]
		header, err := c.Call(cmd.Context(), http.MethodGet, path, query, nil, &p)
		if err != nil {
			return nil, 0, err
		}
		if total, err = strconv.Atoi(header.Get("X-Total-Count")); err != nil {
			return nil, 0, fmt.Errorf("list %s: the answer lacks X-Total-Count", path)
		}
		all = append(all, p.Items...)
		if len(p.Items) == 0 || len(all) >= total {
			break
		}
	}
	return all, total, nil
}

// printJSON writes v for another program.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table writes rows in columns for a reader.
func table(w io.Writer, head []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = cut(shown(cell), 72)
		}
		fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return t.Flush()
}

// shown is s without anything that a terminal could take for a command: a
// device chooses many of the texts here.
func shown(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func cut(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	return string([]rune(s)[:runes-1]) + "…"
}

// parseMoment reads a time: RFC 3339, a date in UTC, or how long ago: 24h, 7d.
func parseMoment(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	ago, err := config.ParseDays(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: want a time (2026-01-31T12:00:00Z), a date (2026-01-31), or how long ago (24h, 7d)", s)
	}
	return now.Add(-ago), nil
}

// setMoment sets a parameter of a request to a time, where one is given.
func setMoment(query url.Values, name, s string) error {
	if s == "" {
		return nil
	}
	t, err := parseMoment(s, time.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	query.Set(name, t.UTC().Format(time.RFC3339Nano))
	return nil
}
