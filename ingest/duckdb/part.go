package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/wal"
)

// part is a Parquet file of the readings of one kind and UTC day, or of some of
// them, sorted by device and time.
type part struct {
	id          int64 // names the file; never used twice while the file exists
	kind        devices.Kind
	day         int64 // since 1970-01-01
	seq         int64 // of the newest segment in it: of two parts with one identity, the greater has it right
	rows        int64
	overrides   int64 // rows whose identity is in an older part of the day too
	bytes       int64
	first, last int64           // times of its readings, both inclusive
	created     int64           // Unix milliseconds of the store's clock
	fields      map[string]bool // that at least one row has

	// The first and last of its devices; an empty toDevice: it may have any.
	fromDevice, toDevice string
}

// among are those of devices, which ascend, that the part may have.
func (p *part) among(devices []string) []string {
	if p.toDevice == "" {
		return devices
	}
	from, _ := slices.BinarySearch(devices, p.fromDevice)
	to, found := slices.BinarySearch(devices, p.toDevice)
	if found {
		to++
	}
	return devices[from:to]
}

// addFields adds the fields that another part has.
func (p *part) addFields(of *part) {
	if p.fields == nil {
		p.fields = make(map[string]bool)
	}
	maps.Copy(p.fields, of.fields)
}

// partRows is the size of a row group. A smaller one would let a read of one
// device decode less, but repeats more dictionaries: on a day of 1,000 devices
// every 15 minutes, ten fields as sensors round them, a reading takes 11.5 B
// with 8,192 rows, 10.3 B with 16,384 and 7.7 B with 122,880.
const partRows = 16_384

// tileRows is how many rows a part of a large set has, about. To leave a row group
// out costs the engine 2 µs for each column, for every file that it opens; more
// files than needed cost as much where all are read.
const tileRows = 262_144

// partFormat are the settings of a part. Version 2 is of encodings: times are
// delta-packed and numbers that repeat too little for a dictionary are split
// by bytes.
var partFormat = fmt.Sprintf("FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE %d, USE_TMP_FILE false", partRows)

// partName matches the files of this package; others are left alone.
var partName = regexp.MustCompile(`^[0-9]{10,}\.parquet(\.tmp)?$`)

func (e *engine) path(p *part) string {
	date := time.UnixMilli(p.day * telemetry.Day).UTC().Format(time.DateOnly)
	return filepath.Join(e.sealed, string(p.kind), date, fmt.Sprintf("%010d.parquet", p.id))
}

// writePart writes the rows that statement selects to the file of p, sets its
// size, and returns when the file and its name are on disk.
func (e *engine) writePart(ctx context.Context, conn *duckdb.Conn, p *part, statement string, args []any) (err error) {
	path := e.path(p)
	tmp := path + ".tmp"
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(tmp))
		}
	}()
	if err := e.step("copy"); err != nil {
		return err
	}
	if p.rows, err = execute(ctx, conn, "COPY ("+statement+") TO "+literal(tmp)+" ("+partFormat+")", args...); err != nil {
		return err
	}
	if err := e.step("sync"); err != nil {
		return err
	}
	if p.bytes, err = syncFile(tmp); err != nil {
		return err
	}
	if err := e.step("rename"); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	// The directories may be new, so their names are synced as well.
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if err := wal.SyncDir(dir); err != nil {
			return err
		}
		if dir == filepath.Dir(e.sealed) {
			return e.step("written")
		}
	}
}

// syncFile brings a file to disk and returns its size.
func syncFile(path string) (int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	return info.Size(), errors.Join(f.Sync(), f.Close())
}

// remove deletes a file that may be gone already.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tidy removes the files that were written or taken out of the manifest just
// before a crash, and finds out whether all files of the manifest are there.
// Files that are none of this manifest's stay: it is lost or old then, and they
// are all there is of their readings.
func (e *engine) tidy(parts []*part) error {
	known := make(map[string]bool, len(parts))
	for _, p := range parts {
		known[e.path(p)] = true
	}
	var strangers []string
	err := filepath.WalkDir(e.sealed, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == e.sealed:
			return nil
		case err != nil:
			return err
		case !d.Type().IsRegular() || !partName.MatchString(d.Name()):
			return nil
		case known[path]:
			delete(known, path)
			return nil
		case idOf(d.Name()) > e.parts.Load() && strings.HasSuffix(path, ".parquet"):
			strangers = append(strangers, path)
			return nil
		}
		return remove(path)
	})
	switch {
	case err != nil:
		return fmt.Errorf("tidy sealed files: %w", err)
	case len(strangers) > 0:
		return fmt.Errorf("%s and %d more sealed files are not in telemetry.duckdb, which is lost or of an earlier backup: restore the whole data directory from one backup, or move sealed/ away to start without them",
			strangers[0], len(strangers)-1)
	}
	for path := range known {
		return fmt.Errorf("%s and %d more sealed files are missing: restore the whole data directory from one backup", path, len(known)-1)
	}
	return nil
}

// idOf is the number in the name of a file; 0 where there is none.
func idOf(name string) int64 {
	digits, _, _ := strings.Cut(name, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// fieldsFrom reads a list of names as the driver gives it.
func fieldsFrom(v driver.Value) map[string]bool {
	list, _ := v.([]any)
	fields := make(map[string]bool, len(list))
	for _, name := range list {
		if name, ok := name.(string); ok {
			fields[name] = true
		}
	}
	return fields
}
