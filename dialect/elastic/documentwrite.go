package elastic

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
)

var updateParser = parser{name: "UpdateRequest", fields: []field{
	{name: "doc", kind: object, required: true},
	{name: "detect_noop", kind: boolean},
	{name: "doc_as_upsert", kind: boolean},
}}

// guard is what a document must still be for a change to be made.
type guard struct{ seq *int64 }

// guard reads the query's condition. All documents are of the first primary term.
func (c *call) guard() (g guard, err error) {
	q := c.r.URL.Query()
	if q.Has("if_seq_no") != q.Has("if_primary_term") {
		return g, invalid("ifSeqNo and ifPrimaryTerm must be set together")
	}
	if !q.Has("if_seq_no") {
		return g, nil
	}
	seq, err := c.wholeLong("if_seq_no")
	if err != nil {
		return g, err
	}
	term, err := c.wholeLong("if_primary_term")
	if err == nil && term != 1 {
		err = conflict("version conflict, required primary term [%d], but the term is [1]", term)
	}
	return guard{&seq}, err
}

func (c *call) wholeLong(name string) (int64, error) {
	text := c.r.URL.Query().Get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, illegal("Failed to parse long parameter [%s] with value [%s]", name, text)
	}
	return n, nil
}

func (g guard) check(id string, version int64) error {
	if g.seq == nil || *g.seq == version {
		return nil
	}
	return conflict("[%s]: version conflict, required seqNo [%d], primary term [1]. current document has seqNo [%d] and primary term [1]", id, *g.seq, version)
}

// partial reads a change of a document.
func (c *call) partial() (doc *value, g guard, err error) {
	given, err := updateParser.read(c, true)
	if err != nil {
		return nil, g, err
	}
	g, err = c.guard()
	return given["doc"], g, err
}

// document reads a document that is to be made.
func (c *call) document() (*value, error) {
	v, raw, err := c.bodyOr(true)
	if err != nil {
		return nil, err
	}
	if v.token != "START_OBJECT" {
		return nil, parseFault(raw, v.at, "[document] Expected START_OBJECT but was: %s", v.token)
	}
	return v, nil
}

// updateConnectorDocument merges into the document what was sent, null as null: the service
// that writes here compares with what it wrote. No rule of the API about transitions is
// asked for.
func (c *call) updateConnectorDocument() (answer, error) {
	id := c.vars["id"]
	given, g, err := c.partial()
	if err != nil {
		return answer{}, err
	}
	if err := checkMembers(given); err != nil {
		return answer{}, err
	}
	result, k, err := c.changeAt(id, func(p *syncline.Pipeline, doc map[string]any) error {
		if err := g.check(id, p.Version); err != nil {
			return err
		}
		merge(doc, given.any().(map[string]any))
		return nil
	})
	if gone(err) {
		return answer{}, documentMissing(id)
	}
	if err != nil {
		return answer{}, err
	}
	return c.written(id, k.p.Version, result), nil
}

// postConnectorDocument makes a connector of a whole document, as Elastic's command line
// does.
func (c *call) postConnectorDocument() (answer, error) {
	given, err := c.document()
	if err != nil {
		return answer{}, err
	}
	if err := checkMembers(given); err != nil {
		return answer{}, err
	}
	id, made := newID(), jobTime(c.now())
	p, err := c.api.o.Catalog.Make(c.ctx(), Name, id, func(tx syncline.Tx, p *syncline.Pipeline) error {
		if err := c.may(id); err != nil {
			return err
		}
		doc := newDocument(made)
		merge(doc, given.any().(map[string]any))
		_, _, err = c.api.keep(tx, &connector{id: id, p: p, doc: map[string]any{}}, doc)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return c.written(id, p.Version, "created"), nil
}

// deleteConnectorDocument removes a connector for good.
func (c *call) deleteConnectorDocument() (answer, error) {
	id := c.vars["id"]
	k, err := c.connector(id)
	if err == nil {
		err = c.remove(k)
	}
	return c.deleted(id, err)
}

func (c *call) deleteJobDocument() (answer, error) {
	id := c.vars["id"]
	j, err := c.job(id, c.route.may)
	if err == nil {
		err = c.api.o.Ledger.Delete(c.ctx(), j.Run.ID)
	}
	return c.deleted(id, err)
}

// deleted answers a deletion: of what is not there it is no error.
func (c *call) deleted(id string, err error) (answer, error) {
	if err != nil && !gone(err) {
		return answer{}, err
	}
	a := c.written(id, 1, "deleted")
	if err != nil {
		a = c.written(id, 1, "not_found")
		a.status = http.StatusNotFound
	}
	return a, nil
}

// memberTokens are what members of a connector may come as, whose kind others rely on;
// null is always one. Elasticsearch's mapping refuses the same.
var memberTokens = map[string]string{
	"configuration": "START_OBJECT", "custom_scheduling": "START_OBJECT", "features": "START_OBJECT",
	"pipeline": "START_OBJECT", "scheduling": "START_OBJECT", "sync_cursor": "START_OBJECT", "filtering": "START_ARRAY",
	"deleted": "VALUE_BOOLEAN", "is_native": "VALUE_BOOLEAN", "sync_now": "VALUE_BOOLEAN",
	"index_name": "VALUE_STRING", "name": "VALUE_STRING", "service_type": "VALUE_STRING", "status": "VALUE_STRING",
}

func checkMembers(doc *value) error {
	for i := range doc.members {
		m := &doc.members[i]
		want, known := memberTokens[m.name]
		if known && m.token != want && !m.isNull() {
			return fault(http.StatusBadRequest, "document_parsing_exception", "failed to parse field [%s]: it cannot be a %s", m.name, m.token)
		}
	}
	index := doc.get("index_name")
	if index == nil || index.isNull() {
		return nil
	}
	if why := illegalIndex(index.text); why != "" {
		return invalid(why)
	}
	return nil
}

// jobChange is what a change of a job's document says.
type jobChange struct {
	word string // status; "": as it is
	text string // error
	saying
}

// updateJobDocument tells the ledger what the service says of a job. What comes for one
// that has ended changes nothing and is no error: after an error the service would leave
// its connector as if the job ran.
func (c *call) updateJobDocument() (answer, error) {
	id := c.vars["id"]
	given, g, err := c.partial()
	if err != nil {
		return answer{}, err
	}
	change, err := readJobChange(given)
	if err != nil {
		return answer{}, err
	}
	may := auth.Work
	if change.word == "canceling" {
		may = auth.Operate
	}
	j, err := c.job(id, may)
	if gone(err) {
		return answer{}, documentMissing(id)
	}
	if err != nil {
		return answer{}, err
	}
	if err := g.check(id, j.Run.Version); err != nil {
		return answer{}, err
	}
	change.guard = g
	r, err := c.tell(j, change)
	if err != nil {
		return answer{}, err
	}
	result := "updated"
	if j.Run.State.Final() || r.Version == j.Run.Version {
		result = "noop"
	}
	return c.written(id, r.Version, result), nil
}

// jobEnds are the states that a worker may say its job is in, by their words.
var jobEnds = map[string]syncline.State{
	"completed": syncline.StateSucceeded, "error": syncline.StateFailed,
	"canceled": syncline.StateCanceled, "suspended": syncline.StateSuspended,
}

// tell says to the ledger what a change of a job's document means.
func (c *call) tell(j *job, to jobChange) (r syncline.Run, err error) {
	was := jobWord(&j.Run)
	end, ends := jobEnds[to.word]
	waits := was == "pending" || was == "suspended"
	switch {
	case j.Run.Owner != syncline.OwnerExternal && to.word != "canceling":
		return j.Run, oursFault(&j.Run)
	case j.Run.State.Final():
		r, _, err = c.endJob(j, to.saying, j.Run.State, to.text) // only counted
		return r, err
	case to.word == "in_progress" && (waits || to.host != ""):
		return c.claimJob(j, to.saying)
	case to.word == "canceling" && was == "canceling":
		return j.Run, nil
	case to.word == "" || to.word == was:
		return c.noteJob(j, to.saying)
	case to.word == "canceling", to.word == "canceled" && waits:
		return c.cancelJob(j)
	case ends:
		r, _, err = c.endJob(j, to.saying, end, to.text)
		return r, err
	}
	return j.Run, illegalMove(was, to.word)
}

// readJobChange takes a change of a job's document apart. What the ledger keeps by itself,
// as the times of begin and end, is passed over.
func readJobChange(doc *value) (to jobChange, err error) {
	counts := map[string]**int64{
		"deleted_document_count": &to.deleted, "indexed_document_count": &to.indexed,
		"indexed_document_volume": &to.volume, "total_document_count": &to.total,
	}
	for i := range doc.members {
		m := &doc.members[i]
		if m.isNull() {
			continue
		}
		switch into, isCount := counts[m.name]; {
		case isCount:
			err = readCount(m, into)
		case m.name == "last_seen":
			to.lastSeen, err = parseInstant(m.text)
		case m.name == "metadata":
			to.metadata, err = members(m.name, &m.value)
		case m.name == "connector.sync_cursor":
			to.cursor, err = members(m.name, &m.value)
		case m.name == "connector":
			if cursor := m.get("sync_cursor"); cursor != nil && !cursor.isNull() {
				to.cursor, err = members("connector.sync_cursor", cursor)
			}
		case m.name == "status":
			to.word, err = jobStatusOf(m.text)
		case m.name == "error":
			to.text = m.text
		case m.name == "worker_hostname":
			to.host = m.text
		}
		if err != nil {
			return to, err
		}
	}
	return to, nil
}

func jobStatusOf(text string) (string, error) {
	word := strings.ToLower(text)
	if !slices.Contains(syncStatuses, word) {
		return "", illegal("Unknown ConnectorSyncStatus [%s].", text)
	}
	return word, nil
}

func readCount(m *member, into **int64) error {
	n, err := m.long()
	if err != nil || m.token != "VALUE_NUMBER" {
		return fault(http.StatusBadRequest, "document_parsing_exception", "failed to parse field [%s] of type [long]", m.name)
	}
	if n < 0 {
		return invalid("[" + m.name + "] cannot be negative.")
	}
	*into = &n
	return nil
}

func members(name string, v *value) (map[string]any, error) {
	doc, isObject := v.any().(map[string]any)
	if !isObject {
		return nil, fault(http.StatusBadRequest, "document_parsing_exception", "object mapping for [%s] tried to parse field as object, but found a %s", name, v.token)
	}
	return doc, nil
}

// postJobDocument makes a job of the connector that the document names. The rest of the
// connector in it is what the ledger holds.
func (c *call) postJobDocument() (answer, error) {
	given, err := c.document()
	if err != nil {
		return answer{}, err
	}
	name, o, err := readJobOrder(given)
	if err != nil {
		return answer{}, err
	}
	r, err := c.createJob(name, o)
	if err != nil {
		return answer{}, err
	}
	return c.written(r.ID, r.Version, "created"), nil
}

func readJobOrder(doc *value) (connector string, o orderedJob, err error) {
	o = orderedJob{mode: syncline.ModeFull, origin: syncline.OriginManual}
	if v := doc.get("connector"); v != nil && v.get("id") != nil {
		connector = v.get("id").text
	}
	if connector == "" {
		return "", o, invalid("[id] of the connector cannot be null or empty.")
	}
	if v := doc.get("status"); v != nil && !v.isNull() && !strings.EqualFold(v.text, "pending") {
		return "", o, rule("A sync job begins [pending], not [%s].", v.text)
	}
	if v := doc.get("job_type"); v != nil && !v.isNull() {
		if o.mode, err = modeOf(nil, v); err != nil {
			return "", o, err
		}
	}
	if v := doc.get("trigger_method"); v != nil && !v.isNull() {
		o.origin, err = originOf(nil, v)
	}
	return connector, o, err
}
