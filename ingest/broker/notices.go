package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quiet is how often a cause may say a line.
const quiet = time.Minute

// notices logs what clients are refused for: one line a cause and minute, with
// the last one's particulars and how many there were that said nothing. A fleet
// with a wrong password must not fill the disk with saying so.
type notices struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	seen [causes]struct {
		last   time.Time
		silent int
	}
}

// note logs one refusal, or counts it. args are slog's.
func (n *notices) note(c cause, args ...any) {
	n.mu.Lock()
	now, seen := n.now(), &n.seen[c]
	if !seen.last.IsZero() && now.Sub(seen.last) < quiet {
		seen.silent++
		n.mu.Unlock()
		return
	}
	silent := seen.silent
	seen.last, seen.silent = now, 0
	n.mu.Unlock()
	if silent > 0 {
		args = append(args, "more_before", silent)
	}
	n.log.Log(context.Background(), c.level(), c.line(), args...)
}

// flush logs what has been silent for its minute.
func (n *notices) flush() {
	for c := range causes {
		n.mu.Lock()
		now, seen := n.now(), &n.seen[c]
		silent := 0
		if seen.silent > 0 && now.Sub(seen.last) >= quiet {
			silent = seen.silent
			seen.last, seen.silent = now, 0
		}
		n.mu.Unlock()
		if silent > 0 {
			n.log.Log(context.Background(), c.level(), c.line(), "more_before", silent)
		}
	}
}

// level is how bad a cause is: most are the clients' doing.
func (c cause) level() slog.Level {
	switch c {
	case refusedPanic:
		return slog.LevelError
	case refusedFull, refusedSlow, refusedSilent, lostWill:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
