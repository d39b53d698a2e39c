package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

// target is the broker that simulate and replay publish to.
type target struct {
	broker, username, password string
	file                       string
}

func (t *target) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.broker, "broker", "tcp://127.0.0.1:1883", "MQTT broker to publish to")
	cmd.Flags().StringVar(&t.username, "username", "", "user name at the broker")
	cmd.Flags().StringVar(&t.password, "password", "", "password at the broker")
	cmd.Flags().StringVar(&t.file, "config", "", "YAML file of settings, by the names of these flags")
}

func (t *target) credentials(devices.Ref) (user, password string) { return t.username, t.password }

func (t *target) unreached(err error) error {
	return fmt.Errorf("connect to %s: %w (does the broker run? --broker names another)", t.broker, err)
}

// complete takes from the environment and the file the flags that were not
// given.
func (t *target) complete(cmd *cobra.Command) error {
	var none config.Config
	return none.Load(cmd.Flags(), t.file, os.LookupEnv)
}

// bar draws a line of progress on a terminal, and a line every tenth elsewhere.
type bar struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	label    string
	unit     string
	total    int64
	began    time.Time
	tenth    int64
	drawn    time.Time
	done     bool // nothing more to draw
}

func newBar(w io.Writer, label, unit string, total int64) *bar {
	return &bar{w: w, terminal: isTerminal(w), label: label, unit: unit, total: max(total, 1), began: time.Now(), tenth: -1}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (b *bar) set(done int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	done = min(done, b.total)
	b.done = done == b.total
	rate := float64(done) / max(time.Since(b.began).Seconds(), 1e-3)
	if !b.terminal {
		if tenth := done * 10 / b.total; tenth > b.tenth {
			b.tenth = tenth
			fmt.Fprintf(b.w, "%s %3d %%  %d of %d %s, %.0f/s\n", b.label, tenth*10, done, b.total, b.unit, rate)
		}
		return
	}
	if done < b.total && time.Since(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	const width = 30
	full := int(done * width / b.total)
	fmt.Fprintf(b.w, "\r%s [%s%s] %3d %%  %d of %d %s, %.0f/s ", b.label,
		strings.Repeat("█", full), strings.Repeat("·", width-full), done*100/b.total, done, b.total, b.unit, rate)
	if b.done {
		fmt.Fprintln(b.w)
	}
}

// leave draws nothing more.
func (b *bar) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
}

// acknowledged is a publish.Progress that moves b by acknowledged readings.
func (b *bar) acknowledged(s publish.Stats) { b.set(s.ReadingsAcked) }
