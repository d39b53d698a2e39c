// Command bench-energy fits the sample meters of eemeter, the reference
// implementation of CalTRACK 2.0, by eemeter itself and by fleetwatt, in one run
// on one machine, and prints how their numbers and their CPU times compare. It
// also times the whole assessment of a building, as a night of many takes it.
//
// It is run by "make bench-energy". Python 3 is needed; eemeter is installed from
// PyPI where it is missing.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	_ "embed"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-energy:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("find the cache: %w", err)
	}
	venv := flag.String("venv", filepath.Join(cache, "fleetwatt", "eemeter-3.1.1"), "where eemeter is, or is installed to")
	rounds := flag.Int("rounds", 3, "fits of each meter; the fastest of each side is printed")
	flag.Parse()
	python, err := install(ctx, *venv)
	if err != nil {
		return err
	}
	out := &table{w: os.Stdout}
	out.head()
	err = peer(ctx, python, *rounds, func(m meter) error { return out.compare(m, *rounds) })
	if err != nil {
		return err
	}
	if out.differs > 0 {
		return fmt.Errorf("%d of %d meters give other numbers", out.differs, out.meters)
	}
	return out.night(*rounds)
}

//go:embed peer.py
var peerScript string

// requirements pin what eemeter 3.1.1 runs with; it leaves that open.
func requirements() []string {
	return []string{
		"eemeter==3.1.1", "numpy==1.26.4", "pandas==1.5.3", "scipy==1.11.4", "statsmodels==0.14.1", "pytz", "requests",
	}
}

// install makes the environment, unless eemeter can be imported from it already.
func install(ctx context.Context, venv string) (python string, err error) {
	python = filepath.Join(venv, "bin", "python")
	if exec.CommandContext(ctx, python, "-c", "import eemeter").Run() == nil {
		return python, nil
	}
	fmt.Fprintln(os.Stderr, "installing eemeter to", venv)
	for _, c := range [][]string{
		{"python3", "-m", "venv", venv},
		append([]string{python, "-m", "pip", "install", "--quiet"}, requirements()...),
	} {
		cmd := exec.CommandContext(ctx, c[0], c[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("install eemeter: %w", err)
		}
	}
	return python, nil
}

// meter is one sample, and what eemeter makes of it.
type meter struct {
	ID         string
	Interval   string // daily or hourly
	Rows       [][3]*float64
	Model      string
	Parameters map[string]float64
	AdjR2      float64 `json:"r_squared_adjusted"`
	Candidates int
	Predicted  float64 // sum over the rows, of the hourly model
	Seconds    []float64
}

// maxLine is enough for the hours of a year.
const maxLine = 8 << 20

// peer runs eemeter over its samples.
func peer(ctx context.Context, python string, rounds int, each func(meter) error) (err error) {
	cmd := exec.CommandContext(ctx, python, "-B", "-", strconv.Itoa(rounds))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start eemeter: %w", err)
	}
	defer func() {
		if werr := cmd.Wait(); werr != nil {
			err = errors.Join(err, fmt.Errorf("run eemeter: %w", werr))
		}
	}()
	if _, err := io.WriteString(in, peerScript); err != nil {
		return err
	}
	if err := in.Close(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var m meter
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("read eemeter: %w", err)
		}
		if err := each(m); err != nil {
			return err
		}
	}
	return lines.Err()
}
