package elastic

import (
	"encoding/json"
	"net/http"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/ledger"
)

const jobPath = "/_connector/_sync_job"

// jobRoutes are the calls on sync jobs.
// https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-connector
var jobRoutes = []route{
	{method: http.MethodPost, path: jobPath, may: auth.Operate, handle: (*call).postJob},
	{method: http.MethodGet, path: jobPath, query: []string{"from", "size", "status", "connector_id", "job_type"}, may: auth.Read, handle: (*call).listJobs},
	{method: http.MethodGet, path: jobPath + "/{job_id}", may: auth.Read, handle: (*call).getJob},
	{method: http.MethodDelete, path: jobPath + "/{job_id}", may: auth.Operate, handle: (*call).deleteJob},
	{method: http.MethodPut, path: jobPath + "/{job_id}/_check_in", may: auth.Work, handle: (*call).checkInJob},
	{method: http.MethodPut, path: jobPath + "/{job_id}/_cancel", may: auth.Operate, handle: (*call).putCancel},
	{method: http.MethodPut, path: jobPath + "/{job_id}/_claim", may: auth.Work, handle: (*call).putClaim},
	{method: http.MethodPut, path: jobPath + "/{job_id}/_error", may: auth.Work, handle: (*call).putJobError},
	{method: http.MethodPut, path: jobPath + "/{job_id}/_stats", may: auth.Work, handle: (*call).putStats},
}

var updated = map[string]any{"result": "updated"}

// jobID is the id in the path.
func (c *call) jobID() (string, error) {
	id := c.vars["job_id"]
	if id == "" {
		return "", invalid("[connector_sync_job_id] of the connector sync job cannot be null or empty.")
	}
	return id, nil
}

// thisJob is the job in the path, if the caller may do to it what the endpoint does.
func (c *call) thisJob() (*job, error) {
	id, err := c.jobID()
	if err != nil {
		return nil, err
	}
	return c.job(id, c.route.may)
}

var postJobParser = parser{"connector_sync_job_post_request", []field{{name: "id", required: true}, {name: "job_type"}, {name: "trigger_method"}}}

func (c *call) postJob() (answer, error) {
	given, raw, err := postJobParser.placed(c, true)
	if err != nil {
		return answer{}, err
	}
	o := orderedJob{mode: syncline.ModeFull, origin: syncline.OriginManual}
	if v := given["job_type"]; v != nil {
		if o.mode, err = modeOf(raw, v); err != nil {
			return answer{}, err
		}
	}
	if v := given["trigger_method"]; v != nil {
		if o.origin, err = originOf(raw, v); err != nil {
			return answer{}, err
		}
	}
	if given["id"].text == "" {
		return answer{}, invalid("[id] of the connector cannot be null or empty.")
	}
	r, err := c.createJob(given["id"].text, o)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, body: map[string]any{"id": r.ID}}, nil
}

func (c *call) listJobs() (answer, error) {
	f, err := c.jobFilter()
	if err != nil {
		return answer{}, err
	}
	if f.Offset, err = c.whole("from", 0); err != nil {
		return answer{}, err
	}
	size, err := c.whole("size", 100)
	if err != nil {
		return answer{}, err
	}
	n, err := c.countJobs(f)
	if err != nil {
		return answer{}, err
	}
	results := []any{}
	for size > 0 {
		f.Limit = min(size, 1000)
		page, err := c.jobs(f)
		if err != nil {
			return answer{}, err
		}
		for _, j := range page {
			results = append(results, c.showJob(j.Detail, j.p))
		}
		f.Offset, size = f.Offset+len(page), size-len(page)
		if len(page) < f.Limit {
			break
		}
	}
	return ok(map[string]any{"count": n, "results": results}), nil
}

func (c *call) getJob() (answer, error) {
	id, err := c.jobID()
	if err != nil {
		return answer{}, err
	}
	j, err := c.wholeJob(id)
	if err != nil {
		return answer{}, err
	}
	c.heard(&j.Run, c.who().Key)
	return ok(c.showJob(j.Detail, j.p)), nil
}

func (c *call) deleteJob() (answer, error) {
	j, err := c.thisJob()
	if err == nil {
		err = c.jobGone(j.Run.ID, c.api.o.Ledger.Delete(c.ctx(), j.Run.ID))
	}
	return ok(map[string]any{"acknowledged": true}), err
}

// jobGone says of a job that went meanwhile that it is not there.
func (c *call) jobGone(id string, err error) error {
	if syncline.CodeOf(err) == syncline.NotFound {
		return notThere("%s", id)
	}
	return err
}

func (c *call) checkInJob() (answer, error) {
	j, err := c.thisJob()
	if err == nil {
		_, err = c.noteJob(j, saying{})
	}
	return ok(updated), spelledOut(c.vars["job_id"], err)
}

// spelledOut is the other text of a job that is not there.
func spelledOut(id string, err error) error {
	if gone(err) {
		return notThere("connector sync job [%s] not found", id)
	}
	return err
}

func (c *call) putCancel() (answer, error) {
	j, err := c.thisJob()
	if err == nil {
		_, err = c.cancelJob(j)
	}
	return ok(updated), err
}

var claimParser = parser{"claim_connector_sync_job", []field{{name: "worker_hostname", required: true}, {name: "sync_cursor", kind: objectOrNull}}}

func (c *call) putClaim() (answer, error) {
	if _, err := c.jobID(); err != nil {
		return answer{}, err
	}
	given, err := claimParser.read(c, true)
	if err != nil {
		return answer{}, err
	}
	s := saying{host: given["worker_hostname"].text}
	if s.host == "" {
		return answer{}, invalid("[worker_hostname] cannot be null or empty.")
	}
	if v := given["sync_cursor"]; v != nil && !v.isNull() {
		s.cursor, _ = v.any().(map[string]any)
	}
	j, err := c.thisJob()
	if err == nil {
		_, err = c.claimJob(j, s)
	}
	return ok(updated), err
}

var jobErrorParser = parser{"connector_sync_job_error_request", []field{{name: "error", required: true}}}

func (c *call) putJobError() (answer, error) {
	if _, err := c.jobID(); err != nil {
		return answer{}, err
	}
	given, err := jobErrorParser.read(c, true)
	if err != nil {
		return answer{}, err
	}
	if given["error"].text == "" {
		return answer{}, invalid("[error] of the connector sync job cannot be null or empty")
	}
	j, err := c.thisJob()
	if err != nil {
		return answer{}, err
	}
	r, changed, err := c.endJob(j, saying{unended: true}, syncline.StateFailed, given["error"].text)
	if err == nil && !changed {
		err = illegalMove(jobWord(&r), "error")
	}
	return ok(updated), err
}

var statsFields = []string{"deleted_document_count", "indexed_document_count", "indexed_document_volume", "total_document_count"}

var statsParser = parser{"connector_sync_job_update_ingestion_stats", []field{
	{name: statsFields[0], kind: long, required: true},
	{name: statsFields[1], kind: long, required: true},
	{name: statsFields[2], kind: long, required: true},
	{name: statsFields[3], kind: long},
	{name: "last_seen"},
	{name: "metadata", kind: object},
}}

func (c *call) putStats() (answer, error) {
	if _, err := c.jobID(); err != nil {
		return answer{}, err
	}
	given, raw, err := statsParser.placed(c, true)
	if err != nil {
		return answer{}, err
	}
	s, err := statsOf(given, raw)
	if err != nil {
		return answer{}, err
	}
	j, err := c.thisJob()
	if err == nil {
		_, err = c.noteJob(j, s)
	}
	return ok(updated), spelledOut(c.vars["job_id"], err)
}

func statsOf(given map[string]*value, raw []byte) (s saying, err error) {
	var negative []string
	for i, into := range []**int64{&s.deleted, &s.indexed, &s.volume, &s.total} {
		v := given[statsFields[i]]
		if v == nil {
			continue
		}
		n, _ := v.long() // it fits
		if n < 0 {
			negative = append(negative, "["+statsFields[i]+"] cannot be negative.")
		}
		*into = &n
	}
	if v := given["last_seen"]; v != nil {
		at, isInstant := instant(v.text)
		if !isInstant {
			return s, statsParser.failed(raw, v, "last_seen", illegal("failed to parse date field [%s]", v.text))
		}
		s.lastSeen = at
	}
	if v := given["metadata"]; v != nil {
		s.metadata, _ = v.any().(map[string]any)
	}
	return s, invalid(negative...)
}

// jobs reads jobs with their pipelines, the newest first.
func (c *call) jobs(f syncline.RunFilter) (all []*job, err error) {
	if f.Pipelines != nil && len(f.Pipelines) == 0 {
		return nil, nil
	}
	page, err := c.api.o.Ledger.Runs(c.ctx(), f)
	if err != nil {
		return nil, err
	}
	known := map[string]*syncline.Pipeline{}
	for _, d := range page {
		p := known[d.Run.PipelineID]
		if p == nil {
			if p, err = c.api.pipelineOf(c.ctx(), &d.Run); err != nil {
				return nil, err
			}
			known[p.ID] = p
		}
		all = append(all, &job{d, p})
	}
	return all, nil
}

func (c *call) countJobs(f syncline.RunFilter) (int64, error) {
	if f.Pipelines != nil && len(f.Pipelines) == 0 {
		return 0, nil
	}
	return c.api.o.Ledger.CountRuns(c.ctx(), f)
}

// orderedJob is what is said of a job when it is made.
type orderedJob struct {
	mode   syncline.Mode
	origin syncline.Origin
}

// createJob makes a job of a connector: for an outside worker, or for Syncline itself.
func (c *call) createJob(id string, o orderedJob) (syncline.Run, error) {
	k, err := c.connector(id)
	if gone(err) || err == nil && k.deleted() {
		return syncline.Run{}, notThere("Connector with id '%s' does not exist.", id)
	}
	if err != nil {
		return syncline.Run{}, err
	}
	if err := c.api.orderable(k); err != nil {
		return syncline.Run{}, err
	}
	order, err := o.order(k)
	if err != nil {
		return syncline.Run{}, err
	}
	r, _, err := c.api.o.Ledger.Start(c.ctx(), order)
	return r, err
}

// orderable says why no job of a connector can be made.
func (a *API) orderable(k *connector) error {
	service, _ := k.doc["service_type"].(string)
	switch {
	case indexOf(k.doc) == "":
		return rule("Cannot start a sync for connector [%s] with no index attached. Set the [index_name] property for the connector to enable syncing data.", k.id)
	case service == "":
		return rule("Cannot start a sync for connector [%s] with [service_type] not defined. Set the service type of your connector before starting the sync.", k.id)
	}
	return a.startable(k)
}

func (o orderedJob) order(k *connector) (ledger.Order, error) {
	var f jobFile
	if err := f.mergeConnector(snapshot(k, o.mode)); err != nil {
		return ledger.Order{}, err
	}
	raw, err := json.Marshal(f)
	order := ledger.Order{
		PipelineID: k.p.ID, Mode: o.mode, Origin: o.origin,
		Ext: map[string]json.RawMessage{Name: raw},
	}
	if k.p.Definition.Owner == syncline.OwnerExternal {
		order.Tasks = []syncline.Task{{Name: jobIndex(indexOf(k.doc), o.mode), Kind: ledger.OutsideTask}}
	}
	return order, err
}
