package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// maxListedPayload bounds in bytes what a list shows of each payload; the entry
// itself has all of it.
const maxListedPayload = 4 << 10

type quarantineInput struct {
	Page
	QuarantineFilter
}

// QuarantineFilter selects entries.
type QuarantineFilter struct {
	Reason string    `query:"reason" maxLength:"64" doc:"only entries of this reason"`
	Device string    `query:"device" maxLength:"128" doc:"only entries of this device: kind/id"`
	Since  time.Time `query:"since" doc:"only entries received at this time or later, RFC 3339"`
	Until  time.Time `query:"until" doc:"only entries received before this time, RFC 3339"`
}

func (f *QuarantineFilter) filter() (quarantine.Filter, error) {
	reason := wire.Reason(f.Reason)
	if reason != "" && !slices.Contains(wire.Reasons(), reason) {
		return quarantine.Filter{}, badParameter("query.reason", "there is no such reason", f.Reason)
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return quarantine.Filter{}, badParameter("query.since", "must be before until", timeOf(f.Since).String())
	}
	return quarantine.Filter{Reason: reason, Device: f.Device, Since: f.Since, Until: f.Until}, nil
}

func (f *QuarantineFilter) empty() bool { return *f == QuarantineFilter{} }

type purgeInput struct {
	QuarantineFilter
	KeepBytes int64 `query:"keep_bytes" minimum:"0" doc:"keep the newest of them, as many as count for so many bytes"`
	All       bool  `query:"all" doc:"needed to drop everything: without filter and keep_bytes"`
	DryRun    bool  `query:"dry_run" doc:"only count"`
}

// Purged is what was dropped, or would be.
type Purged struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes" doc:"that they counted for in the limit of the quarantine"`
	DryRun  bool  `json:"dry_run"`
}

// EntryPath is the id of a quarantined record in a path.
type EntryPath struct {
	ID int64 `path:"id" minimum:"1" doc:"id of the entry"`
}

// Quarantined is one record that could not be stored.
type Quarantined struct {
	ID            int64   `json:"id"`
	ReceivedAt    Time    `json:"received_at"`
	Topic         string  `json:"topic"`
	Device        string  `json:"device" doc:"kind/id; empty where the topic names none"`
	Principal     string  `json:"principal,omitempty" doc:"who published it"`
	Reason        string  `json:"reason"`
	Detail        string  `json:"detail,omitempty" doc:"what was found, where, and what was wanted"`
	PayloadBytes  int     `json:"payload_bytes" doc:"length of the whole payload"`
	Truncated     bool    `json:"truncated,omitempty" doc:"the list shows the first 4096 bytes"`
	Payload       *string `json:"payload" doc:"where it is UTF-8, otherwise null"`
	PayloadBase64 *string `json:"payload_base64,omitempty" doc:"where it is not"`
}

// ReasonCount is how many entries have a reason.
type ReasonCount struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

type reasonsOutput struct{ Body items[ReasonCount] }

type accountingOutput struct{ Body Accounting }

func (a *API) routeQuarantine() {
	add(a, operation{
		right: access.Operate, id: "list-quarantine", method: http.MethodGet, path: "/quarantine", tag: "ingest",
		summary: "Records that could not be stored, newest first",
		notes:   "Long payloads are cut; get the entry for all of it.",
	}, a.quarantined)
	add(a, operation{
		right: access.Operate, id: "purge-quarantine", method: http.MethodDelete, path: "/quarantine", tag: "ingest", patient: true,
		summary: "Drop entries by filter and size", status: http.StatusOK,
	}, a.purgeQuarantine)
	add(a, operation{
		right: access.Operate, id: "count-quarantine", method: http.MethodGet, path: "/quarantine/counts", tag: "ingest",
		summary: "Number of entries by reason",
	}, a.quarantineCounts)
	add(a, operation{
		right: access.Operate, id: "get-quarantined", method: http.MethodGet, path: "/quarantine/{id}", tag: "ingest",
		summary: "One entry with its whole payload", errors: []int{http.StatusNotFound},
	}, a.quarantineEntry)
	add(a, operation{
		right: access.Operate, id: "delete-quarantined", method: http.MethodDelete, path: "/quarantine/{id}", tag: "ingest",
		summary: "Drop an entry", errors: []int{http.StatusNotFound},
	}, a.dropQuarantined)
	add(a, operation{
		right: access.Operate, id: "replay-quarantined", method: http.MethodPost, path: "/quarantine/{id}/replay", tag: "ingest",
		summary: "Take an entry in again, after its cause was mended", errors: []int{http.StatusNotFound, http.StatusConflict},
		notes: "The entry is dropped; what still can't be stored is a new entry. Whether its sender may speak for the device is asked again. A foreign_device entry can't be replayed, nor one whose sender is not known.",
	}, a.replayQuarantined)
	add(a, operation{
		right: access.Operate, id: "replay-quarantine", method: http.MethodPost, path: "/quarantine/replay", tag: "ingest",
		summary: "Take entries in again, the oldest first",
		notes:   "At most 1,000 at a time: go on with after and through of the answer. foreign_device entries are left alone.",
	}, a.replayQuarantine)
	add(a, operation{
		right: access.Operate, id: "get-ingest", method: http.MethodGet, path: "/ingest", tag: "ingest",
		summary: "What arrived since the process started, and what became of it",
		notes:   "received = stored + duplicate + quarantined + pending, at every instant.",
	}, func(context.Context, *struct{}) (*accountingOutput, error) {
		return &accountingOutput{Body: a.opts.Ingest.Accounting()}, nil
	})
}

func (a *API) quarantined(ctx context.Context, in *quarantineInput) (*listOutput[Quarantined], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	f.Limit, f.Offset = in.Limit, in.Offset
	entries, total, err := a.opts.Quarantine.List(ctx, f)
	if err != nil {
		return nil, err
	}
	views := make([]Quarantined, len(entries))
	for i, e := range entries {
		views[i] = viewEntry(e, maxListedPayload)
	}
	return list(in.Page, views, total), nil
}

func (a *API) quarantineCounts(ctx context.Context, _ *struct{}) (*reasonsOutput, error) {
	counts, err := a.opts.Quarantine.Counts(ctx)
	if err != nil {
		return nil, err
	}
	out := &reasonsOutput{Body: items[ReasonCount]{Items: []ReasonCount{}}}
	for _, reason := range wire.Reasons() {
		if n := counts[reason]; n > 0 {
			out.Body.Items = append(out.Body.Items, ReasonCount{Reason: string(reason), Count: n})
		}
	}
	return out, nil
}

func (a *API) quarantineEntry(ctx context.Context, in *EntryPath) (*itemOutput[Quarantined], error) {
	e, err := a.opts.Quarantine.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &itemOutput[Quarantined]{Body: viewEntry(e, len(e.Payload))}, nil
}

func (a *API) dropQuarantined(ctx context.Context, in *EntryPath) (*struct{}, error) {
	if err := a.opts.Quarantine.Delete(ctx, in.ID); err != nil {
		return nil, fmt.Errorf("quarantine entry %d: %w", in.ID, err)
	}
	return nil, nil
}

func (a *API) purgeQuarantine(ctx context.Context, in *purgeInput) (*itemOutput[Purged], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	if everything := in.empty() && in.KeepBytes == 0; everything != in.All {
		return nil, badParameter("query.all", "give either a filter or keep_bytes, or all=true to drop everything", nil)
	}
	d, err := a.opts.Quarantine.Drop(ctx, f, in.KeepBytes, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &itemOutput[Purged]{Body: Purged{Entries: d.Entries, Bytes: d.Bytes, DryRun: in.DryRun}}, nil
}

// viewEntry shows an entry with at most limit bytes of its payload. Whether it
// is text is decided on the whole payload, and a cut falls between characters.
func viewEntry(e quarantine.Entry, limit int) Quarantined {
	view := Quarantined{
		ID: e.ID, ReceivedAt: timeOf(e.ReceivedAt), Topic: e.Topic, Device: e.Device, Principal: e.Principal,
		Reason: string(e.Reason), Detail: e.Detail, PayloadBytes: len(e.Payload),
	}
	payload, text := e.Payload, utf8.Valid(e.Payload)
	if len(payload) > limit {
		view.Truncated = true
		for text && limit > 0 && !utf8.RuneStart(payload[limit]) {
			limit--
		}
		payload = payload[:limit]
	}
	if text {
		s := string(payload)
		view.Payload = &s
	} else {
		s := base64.StdEncoding.EncodeToString(payload)
		view.PayloadBase64 = &s
	}
	return view
}
