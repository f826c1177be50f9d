package elastic

// Upstream is a search cluster.
type Upstream struct{}

// elsewhere passes a request on to the cluster.
func (c *call) elsewhere() (answer, error) {
	return answer{}, notThere("no handler found for uri [%s] and method [%s]", c.r.URL.RequestURI(), c.r.Method)
}
