package elastic

import (
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
)

func modeOf(raw []byte, v *value) (syncline.Mode, error) {
	word := strings.ToLower(v.text)
	if modes, known := jobTypes[word]; known {
		return modes[0], nil
	}
	return "", postJobParser.failed(raw, v, "job_type", illegal("Unknown ConnectorSyncJobType [%s].", v.text))
}

func originOf(raw []byte, v *value) (syncline.Origin, error) {
	switch strings.ToLower(v.text) {
	case "on_demand":
		return syncline.OriginManual, nil
	case "scheduled":
		return syncline.OriginSchedule, nil
	}
	return "", postJobParser.failed(raw, v, "trigger_method", illegal("Unknown ConnectorSyncJobTriggerMethod [%s].", v.text))
}

// jobFilter is what the query asks for, of what the caller sees.
func (c *call) jobFilter() (f syncline.RunFilter, err error) {
	q := c.r.URL.Query()
	if word := q.Get("status"); word != "" {
		if f.Aspects = jobAspects(strings.ToLower(word)); f.Aspects == nil {
			return f, illegal("Unknown ConnectorSyncStatus [%s].", word)
		}
	}
	for _, word := range c.list("job_type") {
		modes, known := jobTypes[strings.ToLower(word)]
		if !known {
			return f, illegal("Unknown ConnectorSyncJobType [%s].", word)
		}
		f.Modes = append(f.Modes, modes...)
	}
	if f.Pipelines, err = c.seen(); err != nil {
		return f, err
	}
	if id := q.Get("connector_id"); id != "" {
		f.PipelineID, err = c.pipelineID(id)
	}
	return f, err
}

// seen are the pipelines of a caller that is limited to some; nil: all.
func (c *call) seen() ([]string, error) {
	scope := c.who().Scope
	if len(scope) == 0 {
		return nil, nil
	}
	ids := []string{}
	for _, name := range scope {
		p, err := c.api.o.Catalog.ByName(c.ctx(), name)
		switch {
		case err == nil:
			ids = append(ids, p.ID)
		case syncline.CodeOf(err) != syncline.NotFound:
			return nil, err
		}
	}
	return ids, nil
}

// pipelineID is the pipeline whose jobs are a connector's.
func (c *call) pipelineID(connector string) (string, error) {
	if !storable(connector) {
		return "absent", nil
	}
	p, err := c.api.o.Catalog.Named(c.ctx(), Name, connector)
	if syncline.CodeOf(err) == syncline.NotFound {
		return strings.TrimPrefix(connector, catalog.NameIn(&syncline.Pipeline{})), nil
	}
	if err != nil {
		return "", err
	}
	return p.ID, nil
}
