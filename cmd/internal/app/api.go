package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

func (a *App) openAPI(metrics *prometheus.Registry) (err error) {
	doors, err := a.newKeyring()
	if err != nil {
		return err
	}
	a.api, err = api.New(api.Options{
		Access: doors, Keys: a.registry, Rate: a.cfg.HTTPRate, Burst: a.cfg.HTTPBurst,
		AdminKey: a.adminKey, Version: a.version, Schema: a.schema, Log: a.log, Now: a.now,
		Registry: a.registry, Credentials: credentials{a.registry, a.source.Kick}, Telemetry: a.store,
		Results: a.ledger, Events: a.ledger, Quarantine: a.quarantine,
		Jobs: jobs{a.runner, a.ledger}, Health: a, Ingest: intake{a}, Presence: a.presence, TempDir: a.cfg.Data,
		Metrics:        promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}),
		BatteryChanges: a.registry, ResultChanges: a.ledger,
		Batteries: a.ledger, Book: a.batteryBook(), Live: a.live, Stations: a.ledger, Buildings: a.ledger,
		StationRules:    a.stationRules,
		Money:           a.money(),
		BuildingReports: reports{a.buildings()},
		OnDeviceChanged: a.ledger.Invalidate, Earlier: a.cfg.OwnersSeeEarlier,
	})
	if err != nil {
		return err
	}
	if a.http, err = net.Listen("tcp", a.cfg.HTTPListen); err != nil {
		return fmt.Errorf("listen for HTTP: %w (another program has the address? choose one with --http-listen)", err)
	}
	a.onClose(func() error {
		if err := a.http.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// Ready says whether the server can do its work, and what keeps it from it.
func (a *App) Ready(ctx context.Context) []api.Check {
	check := func(name, trouble string) api.Check {
		return api.Check{Name: name, OK: trouble == "", Detail: trouble}
	}
	stopping := ""
	select {
	case <-a.stopping:
		stopping = "the server is stopping"
	default:
	}
	what, since := a.pipeline.Trouble()
	if what != "" {
		what = fmt.Sprintf("nothing is acknowledged since %s: %s", since.UTC().Format(time.RFC3339), what)
	}
	return []api.Check{check("server", stopping), check("database", a.databaseTrouble(ctx)), check("intake", a.source.Trouble()), check("ingest", what), check("compaction", a.compactionTrouble(ctx))}
}

// databaseTrouble says why registry and ledger can't be used; empty where they
// can. The words of the error may name what is nobody's business.
func (a *App) databaseTrouble(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if err := errors.Join(a.registry.Ping(ctx), a.ledger.Ping(ctx)); err != nil {
		return "the database can't be reached"
	}
	return ""
}

// pingTime is how long the database may take to answer at all.
const pingTime = 2 * time.Second

// jobs is the runner with its history, as the API wants it.
type jobs struct {
	runner *fleet.Runner
	ledger *ledger.Ledger
}

func (j jobs) Jobs(ctx context.Context) ([]api.Job, error) {
	var out []api.Job
	for _, s := range j.runner.Jobs() {
		job := api.Job{Name: s.Name, Schedule: s.Schedule, Next: s.Next}
		last, ok, err := j.ledger.LastRun(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		if ok {
			job.Last = &last
		}
		out = append(out, job)
	}
	return out, nil
}

func (j jobs) Trigger(ctx context.Context, name string, wait bool) (ledger.Run, error) {
	run, err := j.runner.Trigger(ctx, name, wait)
	switch {
	case errors.Is(err, fleet.ErrUnknownJob):
		err = fmt.Errorf("%w: %s", api.ErrUnknownJob, name)
	case errors.Is(err, fleet.ErrRunning):
		err = fmt.Errorf("%w: %s", api.ErrJobRunning, name)
	case errors.Is(err, fleet.ErrStopped):
		err = fmt.Errorf("%w: %w", telemetry.ErrClosed, err)
	}
	return run, err
}

// intake is the pipeline, in the API's words.
type intake struct{ *App }

func (in intake) Accounting() api.Accounting { return api.Accounting(in.pipeline.Accounting()) }

// Replay submits a quarantined record again, with the time it was received at,
// so that the same record gets the same time. One that was from the future is
// judged by the time of now. It is its sender's still: the pipeline asks again
// whether that one may speak for the device, by the registry of now. Where nobody
// knows who the sender was, nobody can answer.
func (in intake) Replay(ctx context.Context, e quarantine.Entry) (records, quarantined int, err error) {
	sender, known := senderOf(&e)
	if !known || e.Reason == wire.ReasonForeign {
		return 0, 0, api.ErrNotReplayable
	}
	done := make(chan ingest.Outcome, 1)
	m := ingest.Message{
		Topic: e.Topic, Payload: e.Payload, ReceivedMS: e.ReceivedAt.UnixMilli(),
		Principal: sender,
		Done:      func(o ingest.Outcome) { done <- o },
	}
	if e.Reason == wire.ReasonFuture {
		m.ReceivedMS, m.Redelivered = in.now().UnixMilli(), true
	}
	submit := in.pipeline.Submit
	if sparkplug.Handles(m.Topic) {
		submit = in.replaySparkplug
	}
	if err := submit(ctx, m); err != nil {
		if errors.Is(err, ingest.ErrClosed) {
			err = fmt.Errorf("%w: %w", telemetry.ErrClosed, err)
		}
		return 0, 0, err
	}
	select {
	case o := <-done:
		return o.Records, o.Quarantined, nil
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// senderOf is who published an entry; false where that is not known.
func senderOf(e *quarantine.Entry) (p ingest.Principal, known bool) {
	p = ingest.Principal{Name: e.Principal, Trusted: e.Trusted}
	if e.Sender == "" {
		return p, p.Trusted
	}
	var err error
	p.Device, err = devices.ParseRef(e.Sender)
	return p, err == nil
}

// credentials are the registry's; a device whose credential changes is thrown
// out, so that the old one lets nobody stay in.
type credentials struct {
	*registry.Registry
	kick func(devices.Ref)
}

func (c credentials) SetCredential(ctx context.Context, ref devices.Ref, username string) (string, error) {
	secret, err := c.Registry.SetCredential(ctx, ref, username)
	if err == nil {
		c.kick(ref)
	}
	return secret, err
}

func (c credentials) RevokeCredential(ctx context.Context, ref devices.Ref) error {
	err := c.Registry.RevokeCredential(ctx, ref)
	if err == nil {
		c.kick(ref)
	}
	return err
}

func (c credentials) RevokeCertificate(ctx context.Context, ref devices.Ref, commonName string) error {
	err := c.Registry.RevokeCertificate(ctx, ref, commonName)
	if err == nil {
		c.kick(ref)
	}
	return err
}

// toQuarantine stores what the pipeline rejects.
type toQuarantine struct {
	q   *quarantine.Quarantine
	log *slog.Logger
}

func (t toQuarantine) Put(ctx context.Context, rejected []ingest.Rejected) error {
	entries := make([]quarantine.Entry, len(rejected))
	for i, r := range rejected {
		entries[i] = quarantine.Entry{
			ReceivedAt: r.ReceivedAt, Topic: r.Topic, Device: r.Device,
			Principal: r.Principal.Name, Trusted: r.Principal.Trusted,
			Reason: r.Reason, Detail: r.Detail, Payload: r.Payload,
		}
	}
	for i, r := range rejected {
		if r.Principal.Device != (devices.Ref{}) {
			entries[i].Sender = r.Principal.Device.String()
		}
	}
	before := t.q.Purged()
	err := t.q.Put(ctx, entries)
	if n := t.q.Purged() - before; n > 0 {
		t.log.Warn("the quarantine is full; the oldest entries of whoever has the most were dropped", "entries", n)
	}
	return err
}
