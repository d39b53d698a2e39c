package wire

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the outcomes in testdata; read the difference before you keep it")

// arrival is when every golden payload is received: 2026-01-01T12:00:00Z.
const arrival int64 = 1767268800000

// golden is one case of a file in testdata. A file is made of blocks parted by
// blank lines:
//
//	# what the case shows
//	! kind=station id=S1 redelivered gzip    (options; battery B1 without)
//	! offset=-3600000                        (of the device's clock, in milliseconds)
//	< a line of the payload
//	<q "a line as a Go string"
//	> what it decodes to
type golden struct {
	name        string
	header      []string // lines before the outcome
	dev         devices.Ref
	redelivered bool
	offset      int64
	payload     []byte
	want        []string
}

// fixedClock is off by the same amount whenever it is asked.
type fixedClock int64

func (c fixedClock) Offset(devices.Ref, int64, int64, bool) int64 { return int64(c) }

func loadGoldens(t testing.TB, file string) []golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var out []golden
	for block := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n\n") {
		out = append(out, parseGolden(t, block))
	}
	return out
}

func parseGolden(t testing.TB, block string) golden {
	t.Helper()
	g := golden{dev: devices.Ref{Kind: devices.KindBattery, ID: "B1"}}
	var lines []string
	zip := false
	for line := range strings.SplitSeq(block, "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		if mark == ">" {
			g.want = append(g.want, rest)
			continue
		}
		g.header = append(g.header, line)
		switch mark {
		case "#":
			g.name = rest
		case "<":
			lines = append(lines, rest)
		case "<q":
			s, err := strconv.Unquote(rest)
			if err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			lines = append(lines, s)
		case "!":
			for _, option := range strings.Fields(rest) {
				key, value, _ := strings.Cut(option, "=")
				switch key {
				case "kind":
					g.dev.Kind = devices.Kind(value)
				case "id":
					g.dev.ID = value
				case "redelivered":
					g.redelivered = true
				case "offset":
					ms, err := strconv.ParseInt(value, 10, 64)
					if err != nil {
						t.Fatalf("option %q: %v", option, err)
					}
					g.offset = ms
				case "gzip":
					zip = true
				default:
					t.Fatalf("unknown option %q", option)
				}
			}
		default:
			t.Fatalf("line %q begins with none of # ! < <q >", line)
		}
	}
	g.payload = []byte(strings.Join(lines, "\n"))
	if zip {
		g.payload = zipped(t, g.payload)
	}
	return g
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// outcome writes what was decoded as the golden files have it.
func outcome(d Decoded) []string {
	var out []string
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
	for _, r := range d.Readings {
		line := "reading " + r.Ref().String() + " " + at(r.TS)
		for _, v := range r.Values {
			if v.Field.Numeric() {
				line += fmt.Sprintf(" %s=%v", v.Field.Name, v.Num)
			} else {
				line += fmt.Sprintf(" %s=%q", v.Field.Name, v.Text)
			}
		}
		out = append(out, line)
	}
	for _, e := range d.Events {
		out = append(out, fmt.Sprintf("event %s %s %s %q %s", e.Ref(), at(e.TS), e.Type, e.ID, quoteRaw(e.Data)))
	}
	for _, f := range d.Faults {
		out = append(out, fmt.Sprintf("fault %s %s | %s", f.Reason, quoteRaw(f.Raw), f.Detail))
	}
	return out
}

func quoteRaw(b []byte) string {
	if s := string(b); strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(string(b))
}

func testGoldens(t *testing.T, file string, decode func(golden) Decoded) {
	goldens := loadGoldens(t, file)
	var rewritten []string
	for _, g := range goldens {
		got := outcome(decode(g))
		block := g.header
		for _, line := range got {
			block = append(block, "> "+line)
		}
		rewritten = append(rewritten, strings.Join(block, "\n"))
		if *update {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			if diff := cmp.Diff(g.want, got); diff != "" {
				t.Errorf("payload %q (-want +got):\n%s", g.payload, diff)
			}
		})
	}
	if *update {
		text := strings.Join(rewritten, "\n\n") + "\n"
		if err := os.WriteFile(filepath.Join("testdata", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func testDecoder(t testing.TB, extra ...devices.KindField) *Decoder {
	t.Helper()
	s, err := devices.NewSchema(extra...)
	if err != nil {
		t.Fatal(err)
	}
	return NewDecoder(s, DefaultLimits())
}

func TestGoldenTelemetry(t *testing.T) {
	schema := testDecoder(t).schema
	testGoldens(t, "telemetry.golden", func(g golden) Decoded {
		d := NewCorrectingDecoder(schema, DefaultLimits(), fixedClock(g.offset))
		return d.Telemetry(g.dev, g.payload, arrival, g.redelivered)
	})
}

func TestGoldenLines(t *testing.T) {
	d := testDecoder(t)
	testGoldens(t, "lines.golden", func(g golden) Decoded {
		return d.Telemetry(g.dev, g.payload, arrival, g.redelivered)
	})
}

func TestGoldenEvents(t *testing.T) {
	d := testDecoder(t)
	testGoldens(t, "events.golden", func(g golden) Decoded {
		return d.Events(g.dev, g.payload, arrival)
	})
}

func TestGoldenStatus(t *testing.T) {
	d := testDecoder(t)
	testGoldens(t, "status.golden", func(g golden) Decoded {
		return d.Status(g.dev, g.payload, arrival)
	})
}

// TestGoldenReasons checks that the golden files show every reason that a
// codec gives; the two that need megabytes have a test of their own.
func TestGoldenReasons(t *testing.T) {
	seen := make(map[Reason]bool)
	for _, file := range []string{"telemetry.golden", "lines.golden", "events.golden", "status.golden"} {
		for _, g := range loadGoldens(t, file) {
			for _, line := range g.want {
				if reason, ok := strings.CutPrefix(line, "fault "); ok {
					reason, _, _ = strings.Cut(reason, " ")
					seen[Reason(reason)] = true
				}
			}
		}
	}
	elsewhere := map[Reason]bool{
		ReasonTooLarge: true, ReasonGzipTooLarge: true, // TestLimits
		ReasonUnknownDevice: true, ReasonSpokenFor: true, ReasonRefused: true, // not given by a codec
	}
	for _, r := range Reasons() {
		if !seen[r] && !elsewhere[r] {
			t.Errorf("no golden payload is refused as %s", r)
		}
	}
}
