package elastic

import "slices"

// table lists all endpoints. Of two that fit, the first answers: "_sync_job" and "_secret"
// are no connectors.
func (a *API) table() []route {
	return slices.Concat(jobRoutes, secretRoutes, connectorRoutes, documentRoutes)
}
