package hotscan

import (
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

var everything = telemetry.Window{From: math.MinInt64, To: math.MaxInt64}

func database(t testing.TB) (*sql.DB, *Scans) {
	t.Helper()
	db, err := sql.Open("duckdb", "?threads=2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := Register(conn)
	if err != nil {
		t.Fatal(err)
	}
	return db, s
}

func battery(t testing.TB) *devices.Measurement {
	t.Helper()
	s, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s.Measurement(devices.KindBattery)
}

func put(t testing.TB, table *hot.Table, m *devices.Measurement, device string, ts int64, state string, volts float64) {
	t.Helper()
	r := telemetry.Reading{Kind: m.Kind, Device: device, TS: ts}
	if state != "" {
		r.Set(telemetry.Value{Field: m.Field("state"), Text: state})
	}
	if volts != 0 {
		r.Set(telemetry.Value{Field: m.Field("voltage_v"), Num: volts})
	}
	if _, err := table.Put(&r); err != nil {
		t.Fatal(err)
	}
}

func TestScan(t *testing.T) {
	db, scans := database(t)
	m := battery(t)
	table := hot.NewTable(m)
	for i := range int64(5000) { // more than two chunks
		put(t, table, m, "long enough a name", i, "", float64(i)+0.5)
	}
	put(t, table, m, "a", 1, "idle", 50)
	put(t, table, m, "a", 2, "charging", 0)
	query, done := scans.Open(Rows{
		Columns:  []hot.Column{{Name: "voltage_v"}, {Name: "state", Text: true}, {Name: `no "such`}},
		Snapshot: table.Snapshot(nil, everything),
	})
	var n, sum float64
	if err := db.QueryRowContext(t.Context(), "SELECT count(*), sum(voltage_v) FROM ("+query+") WHERE device = 'long enough a name'").Scan(&n, &sum); err != nil {
		t.Fatal(err)
	}
	if n != 5000 || sum != 5000*4999/2+2500 {
		t.Errorf("got %v rows, sum %v", n, sum)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM ("+query+") WHERE device = 'a'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := ""
	for rows.Next() {
		var device string
		var ts int64
		var volts, none sql.NullFloat64
		var state sql.NullString
		if err := rows.Scan(&device, &ts, &volts, &state, &none); err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprintf("%s %d %v %v %v\n", device, ts, volts, state, none)
	}
	if want := "a 1 {50 true} {idle true} {0 false}\na 2 {0 false} {charging true} {0 false}\n"; got != want || rows.Err() != nil {
		t.Errorf("got\n%swant\n%s%v", got, want, rows.Err())
	}
	done()
	if _, err := db.ExecContext(t.Context(), query); err == nil {
		t.Error("a scan that was closed could be read")
	}
}

// What sealing costs: a table in memory to a Parquet file.
func BenchmarkCopy(b *testing.B) {
	db, scans := database(b)
	m := battery(b)
	table := hot.NewTable(m)
	names := []string{"soc_pct", "voltage_v", "current_a", "power_w", "temperature_c", "cell_voltage_min_v", "cell_voltage_max_v", "cycles", "energy_in_wh", "energy_out_wh"}
	const rows = 1_000_000
	for i := range rows {
		r := telemetry.Reading{Kind: m.Kind, Device: fmt.Sprintf("bench-%05d", i%1000), TS: int64(i/1000) * 1000}
		for j, name := range names {
			r.Set(telemetry.Value{Field: m.Field(name), Num: float64((i*7+j*13+i/1000)%1000) / 10})
		}
		if _, err := table.Put(&r); err != nil {
			b.Fatal(err)
		}
	}
	var columns []hot.Column
	for _, name := range names {
		columns = append(columns, hot.Column{Name: name})
	}
	for b.Loop() {
		query, done := scans.Open(Rows{Columns: columns, Snapshot: table.Snapshot(nil, everything)})
		path := filepath.Join(b.TempDir(), "x.parquet")
		if _, err := db.ExecContext(b.Context(), "COPY ("+query+") TO '"+path+"' (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)"); err != nil {
			b.Fatal(err)
		}
		done()
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/rows, "B/reading")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/reading")
}

// What a query over all that is hot costs.
func BenchmarkSum(b *testing.B) {
	db, scans := database(b)
	m := battery(b)
	table := hot.NewTable(m)
	const rows = 1_000_000
	for i := range rows {
		put(b, table, m, fmt.Sprintf("bench-%05d", i%1000), int64(i/1000)*1000, "", float64(i))
	}
	for b.Loop() {
		query, done := scans.Open(Rows{Columns: []hot.Column{{Name: "voltage_v"}}, Snapshot: table.Snapshot(nil, everything)})
		var sum float64
		if err := db.QueryRowContext(b.Context(), "SELECT max(voltage_v) FROM ("+query+")").Scan(&sum); err != nil {
			b.Fatal(err)
		}
		done()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/reading")
}
