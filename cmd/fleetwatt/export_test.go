package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExportCommand(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.client("gw")
	const begin, n = 1767225600000, 3000
	for _, id := range []string{"b2", "b1"} {
		payload := []byte("[")
		for i := range n {
			payload = fmt.Appendf(payload, `{"ts":%d,"soc_pct":%v,"state":"idle, %d"},`, begin+i*1000, float64(i)/100, i%3)
		}
		payload[len(payload)-1] = ']'
		send(t, c, "fleet/v1/battery/"+id+"/telemetry", payload)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "all.parquet")
	out, _ := s.operate("export", "--kind", "battery", "--from", "2026-01-01", "--to", "2026-01-02", "--out", file)
	wants(t, "export", out, "6000 readings")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, devices, wrong int
	err = db.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT count(*), count(DISTINCT device), count(*) FILTER (
		soc_pct IS DISTINCT FROM (ts_ms - %d) / 1000 / 100.0 OR state IS DISTINCT FROM 'idle, ' || ((ts_ms - %d) // 1000 %% 3) OR voltage_v IS NOT NULL)
		FROM read_parquet('%s')`, begin, begin, file)).Scan(&rows, &devices, &wrong)
	if err != nil || rows != 2*n || devices != 2 || wrong != 0 {
		t.Errorf("got %d rows of %d devices, %d of them wrong, %v; want %d, 2 and none", rows, devices, wrong, err, 2*n)
	}

	out, errs := s.operate("export", "--kind", "battery", "--device", "battery/b1", "--field", "soc_pct,state", "--from", "2026-01-01", "--to", "2026-01-01T00:00:02Z", "--out", "-")
	want := "device,ts,soc_pct,state\nb1,2026-01-01T00:00:00.000Z,0,\"idle, 0\"\nb1,2026-01-01T00:00:01.000Z,0.01,\"idle, 1\"\n"
	if out != want || !strings.Contains(errs, "2 readings") {
		t.Errorf("got %q and %q, want %q", out, errs, want)
	}
	args := []string{"export", "--kind", "battery", "--from", "2026-01-01", "--out", file}
	s.refuse("exists", args...)
	s.operate(append(args, "--force", "--to", "2026-01-01T00:00:01Z")...)
	s.refuse("not found", append(args, "--force", "--device", "absent")...)
	s.refuse("colour", append(args, "--force", "--field", "colour")...)
	s.refuse("json", "export", "--kind", "battery", "--from", "1d", "--out", "-", "--json")
	type summary struct {
		Readings int
		Out      string
	}
	if got, want := operateJSON[summary](s, append(args, "--force")...), (summary{2 * n, file}); got != want {
		t.Errorf("--json: got %+v, want %+v", got, want)
	}
	s.refuse("kind", "export", "--from", "1d", "--out", file)
	s.refuse("from", "export", "--kind", "battery", "--out", file)
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want only the whole file", left, err)
	}
}

// Half a file never has the name of a whole one.
func TestExportThatBreaksOff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer func(http.ResponseWriter)
		want   string
	}{
		{"cut", func(w http.ResponseWriter) {
			w.Header().Set("Trailer", "X-Row-Count")
			_, _ = io.WriteString(w, "device,ts\nb1,")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "broke off"},
		{"without a count", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "device,ts\n") }, "number of readings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tt.answer(w) }))
			defer front.Close()
			s := &server{t: t, url: front.URL}
			dir := t.TempDir()
			s.refuse(tt.want, "export", "--kind", "battery", "--from", "1d", "--out", filepath.Join(dir, "x.csv"))
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			s.refuse("not whole", "export", "--kind", "battery", "--from", "1d", "--out", "-")
		})
	}
}

// Whoever breaks an export off is not told that all is well.
func TestInterruptedExport(t *testing.T) {
	t.Parallel()
	asked, hold := make(chan struct{}), make(chan struct{})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "device,ts\n")
		_ = http.NewResponseController(w).Flush()
		close(asked)
		<-hold
	}))
	defer front.Close()
	defer close(hold)
	dir := t.TempDir()
	cmd := command(t, "export", "--kind", "battery", "--from", "1d", "--out", filepath.Join(dir, "x.csv"), "--server", front.URL, "--api-key", adminKey)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("got exit code %d and %q, want 1 and a word", code, errs.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What is no file is not replaced by one, and a link stays a link.
func TestExportOntoWhatIsThere(t *testing.T) {
	t.Parallel()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Row-Count")
		_, _ = io.WriteString(w, "device,ts\n")
		w.Header().Set("X-Row-Count", "0")
	}))
	defer front.Close()
	s := &server{t: t, url: front.URL}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := errors.Join(os.Mkdir(at("directory"), 0o700), os.WriteFile(at("file"), []byte("old"), 0o600), os.Symlink("file", at("link")),
		os.Symlink("nothing", at("dangling")), os.Symlink("socket", at("indirect"))); err != nil {
		t.Fatal(err)
	}
	modes := func() map[string]fs.FileMode {
		t.Helper()
		all := map[string]fs.FileMode{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all[e.Name()] = e.Type()
		}
		return all
	}
	before := modes()
	args := func(name string, more ...string) []string {
		return append([]string{"export", "--kind", "battery", "--from", "1d", "--out", name}, more...)
	}
	for _, name := range []string{at("socket"), at("indirect"), at("directory"), os.DevNull} {
		s.refuse("no file", args(name, "--force")...)
		s.refuse("no file", args(name)...)
	}
	s.refuse("link to nothing", args(at("dangling"), "--force")...)
	s.refuse("exists", args(at("link"))...)
	s.operate(args(at("link"), "--force")...)
	if diff := cmp.Diff(before, modes()); diff != "" {
		t.Errorf("what is there (-before +after):\n%s", diff)
	}
	if b, err := os.ReadFile(at("file")); err != nil || string(b) != "device,ts\n" {
		t.Errorf("behind the link: got %q, %v, want the export", b, err)
	}
}

// A call that never reached an export does not speak of one.
func TestExportThatDidNotBegin(t *testing.T) {
	t.Parallel()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	url := front.URL
	for _, want := range []string{"does not accept the key", "nothing listens"} {
		_, errs, code := program(t, "export", "--kind", "battery", "--from", "1d", "--out", "-", "--server", url, "--api-key", adminKey)
		if code != 1 || !strings.Contains(errs, want) || strings.Contains(errs, "whole") {
			t.Errorf("got exit code %d and %q, want 1 and %q alone", code, errs, want)
		}
		front.Close()
	}
}
