package main

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExportCommand(t *testing.T) {
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
	s.refuse("kind", "export", "--from", "1d", "--out", file)
	s.refuse("from", "export", "--kind", "battery", "--out", file)
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want only the whole file", left, err)
	}
}

// Half a file never has the name of a whole one.
func TestExportThatBreaksOff(t *testing.T) {
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
