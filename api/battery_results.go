package api

// routeBatteryResults registers what the jobs have worked out of batteries.
func (a *API) routeBatteryResults() {
	a.routeBatterySheet()
	a.routeBatterySeries()
	a.routeBatteryToday()
	a.routeFleetHealth()
	a.routeCohorts()
	a.routeBatteryBenchmarks()
	if a.opts.Book == nil {
		return
	}
	a.routeAssessments()
	a.routeBatteryUsage()
	a.routePassport()
	a.routeReplacements()
}
