package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// JobPath is the name in a path.
type JobPath struct {
	Name string `path:"name" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9._-]+$" doc:"name of the job"`
}

// JobStatus is a job and its place in time.
type JobStatus struct {
	Name     string  `json:"name"`
	Schedule string  `json:"schedule" doc:"cron expression, UTC"`
	Next     *Time   `json:"next,omitempty" doc:"start of the next scheduled run"`
	LastRun  *JobRun `json:"last_run,omitempty"`
}

// JobRun is one run of a job.
type JobRun struct {
	ID              int64    `json:"id"`
	Job             string   `json:"job"`
	Trigger         string   `json:"trigger" doc:"what started the run"`
	Status          string   `json:"status" enum:"running,ok,failed"`
	Start           Time     `json:"start"`
	End             *Time    `json:"end,omitempty"`
	DurationSeconds *float64 `json:"duration_s,omitempty"`
	WindowFrom      *Time    `json:"window_from,omitempty" doc:"start of the data that the run covered, inclusive"`
	WindowTo        *Time    `json:"window_to,omitempty" doc:"end of the data that the run covered, exclusive"`
	Rows            int      `json:"rows" doc:"readings read"`
	Error           string   `json:"error,omitempty"`
}

type jobsOutput struct{ Body items[JobStatus] }

type runsInput struct {
	JobPath
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"greatest number of runs"`
}

type runsOutput struct{ Body items[JobRun] }

type triggerInput struct {
	JobPath
	Wait bool `query:"wait" doc:"answer when the run has ended"`
}

type triggerOutput struct {
	Status int
	Body   JobRun
}

func (a *API) routeJobs() {
	add(a, operation{
		right: access.Operate, id: "list-jobs", method: http.MethodGet, path: "/jobs", tag: "jobs",
		summary: "Jobs, their schedules and last runs",
	}, a.jobs)
	add(a, operation{
		right: access.Operate, id: "list-job-runs", method: http.MethodGet, path: "/jobs/{name}/runs", tag: "jobs",
		summary: "Runs of a job, newest first", errors: []int{http.StatusNotFound},
	}, a.runs)
	add(a, operation{
		right: access.Operate, id: "run-job", method: http.MethodPost, path: "/jobs/{name}/run", tag: "jobs",
		summary: "Run a job now",
		notes:   "202 while the run goes on; with wait, 200 when it has ended, whether well or not: see status and error.",
		status:  http.StatusAccepted, patient: true,
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.trigger)
	// The same answer under both codes; huma documents one.
	answers := a.huma.OpenAPI().Paths[prefix+"/jobs/{name}/run"].Post.Responses
	answers["200"] = answers["202"]
}

func (a *API) jobs(ctx context.Context, _ *struct{}) (*jobsOutput, error) {
	jobs, err := a.opts.Jobs.Jobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	out := &jobsOutput{Body: items[JobStatus]{Items: make([]JobStatus, 0, len(jobs))}}
	for _, j := range jobs {
		view := JobStatus{Name: j.Name, Schedule: j.Schedule, Next: timePtr(&j.Next)}
		if j.Last != nil {
			last := viewRun(*j.Last)
			view.LastRun = &last
		}
		out.Body.Items = append(out.Body.Items, view)
	}
	return out, nil
}

func (a *API) runs(ctx context.Context, in *runsInput) (*runsOutput, error) {
	jobs, err := a.opts.Jobs.Jobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	if !slices.ContainsFunc(jobs, func(j Job) bool { return j.Name == in.Name }) {
		return nil, fmt.Errorf("%w: %s", ErrUnknownJob, in.Name)
	}
	runs, err := a.opts.Results.Runs(ctx, in.Name, in.Limit)
	if err != nil {
		return nil, fmt.Errorf("list runs of %s: %w", in.Name, err)
	}
	out := &runsOutput{Body: items[JobRun]{Items: make([]JobRun, 0, len(runs))}}
	for _, r := range runs {
		out.Body.Items = append(out.Body.Items, viewRun(r))
	}
	return out, nil
}

func (a *API) trigger(ctx context.Context, in *triggerInput) (*triggerOutput, error) {
	run, err := a.opts.Jobs.Trigger(ctx, in.Name, in.Wait)
	if err != nil {
		return nil, err
	}
	out := &triggerOutput{Status: http.StatusAccepted, Body: viewRun(run)}
	if !run.End.IsZero() {
		out.Status = http.StatusOK
	}
	return out, nil
}

func viewRun(r ledger.Run) JobRun {
	view := JobRun{
		ID: r.ID, Job: r.Job, Trigger: r.Trigger, Status: runStatus(r),
		Start: timeOf(r.Start), End: timePtr(&r.End), Rows: r.Rows, Error: r.Err,
	}
	if !r.Window.Empty() {
		view.WindowFrom, view.WindowTo = (*Time)(&r.Window.From), (*Time)(&r.Window.To)
	}
	if !r.End.IsZero() {
		seconds := r.End.Sub(r.Start).Round(time.Millisecond).Seconds()
		view.DurationSeconds = &seconds
	}
	return view
}

func runStatus(r ledger.Run) string {
	switch {
	case r.End.IsZero():
		return "running"
	case r.Err != "":
		return "failed"
	}
	return "ok"
}
