package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/cmd/internal/process"
)

// server is the process under measurement.
type server struct {
	*process.Process
	http, mqtt string // addresses
}

// serve starts a server on the directory and waits until it is ready. Its jobs
// do not run by themselves: what they cost is measured elsewhere.
func serve(ctx context.Context, s settings) (*server, error) {
	p := &server{}
	for _, addr := range []*string{&p.http, &p.mqtt} {
		port, err := process.FreePort()
		if err != nil {
			return nil, err
		}
		*addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	const never = "0 0 1 1 *"
	var err error
	p.Process, err = process.Start(ctx, s.Dir, "server", s.Fleetwatt, "serve", "--data", s.data(), "--http-listen", p.http, "--mqtt-listen", p.mqtt,
		"--mqtt-anonymous", "--log-level", "warn", "--http-rate", "0",
		"--rollup-schedule", never, "--battery-schedule", never, "--battery-hourly", never, "--station-schedule", never, "--building-schedule", never,
		"--statement-schedule", never)
	if err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// ready waits until the server says that it works.
func (p *server) ready(ctx context.Context) error {
	client := http.Client{Timeout: time.Second}
	return p.Wait(ctx, time.Minute, func(context.Context) bool {
		answer, err := client.Get("http://" + p.http + "/readyz")
		return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	}, "is not ready")
}
