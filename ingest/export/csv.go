package export

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// csvEncoder writes a line for each reading. A field that a reading does not
// have is empty; a text that is empty is "", which encoding/csv can't write.
type csvEncoder struct {
	to     *bytes.Buffer
	times  Times
	fields []*devices.Field
	line   []byte
}

func newCSV(to *bytes.Buffer, times Times, fields []*devices.Field) (*csvEncoder, error) {
	c := &csvEncoder{to: to, times: times, fields: fields}
	column := "ts"
	switch times {
	case "", RFC3339:
	case EpochMS:
		column = "ts_ms"
	default:
		return nil, fmt.Errorf("unknown form of time %q: want rfc3339 or epoch_ms", times)
	}
	to.WriteString("device," + column)
	for _, f := range fields {
		to.WriteByte(',')
		to.WriteString(f.Name) // [a-z0-9_]
	}
	to.WriteByte('\n')
	return c, nil
}

func (c *csvEncoder) add(r telemetry.Reading) error {
	line := appendText(c.line[:0], r.Device)
	line = append(line, ',')
	if c.times == EpochMS {
		line = strconv.AppendInt(line, r.TS, 10)
	} else {
		line = time.UnixMilli(r.TS).UTC().AppendFormat(line, timeLayout)
	}
	values := r.Values // both ascend by index
	for _, f := range c.fields {
		line = append(line, ',')
		if len(values) == 0 || values[0].Field.Index != f.Index {
			continue
		}
		if f.Numeric() {
			line = appendNumber(line, values[0].Num)
		} else {
			line = appendText(line, values[0].Text)
		}
		values = values[1:]
	}
	line = append(line, '\n')
	c.line = line
	_, err := c.to.Write(line)
	return err
}

func (c *csvEncoder) flush() error { return nil }
func (c *csvEncoder) close() error { return nil }

func (c *csvEncoder) end(context.Context) (io.Reader, error) { return nil, nil }

// appendText quotes what RFC 4180 wants quoted, and what a reader could take for
// nothing or trim.
func appendText(line []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(line, s...)
	}
	line = append(line, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			line = append(line, '"')
		}
		line = append(line, s[i])
	}
	return append(line, '"')
}

// appendNumber writes the shortest digits that read back the same, with an
// exponent for the very small and large only.
func appendNumber(line []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(line, f, format, -1, 64)
}
