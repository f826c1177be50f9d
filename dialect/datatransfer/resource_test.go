package datatransfer

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/secret"
)

// shelf is the resources of one pipeline over a desk.
type shelf struct {
	*desk
	api  *API
	p    *syncline.Pipeline
	name string
	ctx  context.Context
}

// newShelf has a pipeline that was made elsewhere, of these entities.
func newShelf(t *testing.T, entities ...string) *shelf {
	t.Helper()
	d := newDesk(t)
	keys, err := secret.Load(filepath.Join(d.dir, "key"), "")
	must(t, err)
	definition := syncline.Definition{
		Source:      syncline.Endpoint{Kind: "sqlite", Settings: json.RawMessage(`{"path":"` + d.source() + `"}`)},
		Destination: syncline.Endpoint{Kind: "sqlite", Settings: json.RawMessage(`{"path":"` + d.dir + `/lake.db"}`)},
		Overlap:     syncline.OverlapQueue,
	}
	for _, e := range entities {
		definition.Entities = append(definition.Entities, syncline.EntitySpec{Name: e})
	}
	p, _, err := d.catalog.Put(t.Context(), "nightly", definition, catalog.PutOptions{})
	must(t, err)
	return &shelf{
		desk: d, p: p, ctx: auth.With(t.Context(), d.who), name: "projects/syncline/locations/us/transferConfigs/syncline-" + p.ID,
		api: &API{tokens: gapi.NewTokens(keys), o: Options{
			Ledger: d.ledger, Catalog: d.catalog, Log: slog.New(slog.DiscardHandler), Project: "syncline", Location: "us", Now: func() time.Time { return now },
		}},
	}
}

func (s *shelf) start() string {
	s.Helper()
	r, _, err := s.ledger.Start(s.ctx, ledger.Order{PipelineID: s.p.ID, Origin: syncline.OriginManual})
	must(s, err)
	return r.ID
}

// claim takes the run that waits, and begins these tasks of it.
func (s *shelf) claim(tasks ...string) syncline.Grant {
	s.Helper()
	gs, err := s.ledger.Claim(s.ctx, syncline.Worker{ID: "w", Session: "s", Host: "here", Kinds: []string{"sync"}}, 1)
	must(s, err)
	if len(gs) != 1 {
		s.Fatalf("%d runs to claim", len(gs))
	}
	var plan []syncline.Task
	for _, t := range tasks {
		plan = append(plan, syncline.Task{Name: t, Kind: "transfer"})
	}
	_, err = s.ledger.Plan(s.ctx, gs[0].Hold(), plan)
	must(s, err)
	for _, t := range tasks {
		must(s, s.ledger.BeginTask(s.ctx, gs[0].Hold(), t))
	}
	return gs[0]
}

func (s *shelf) end(g syncline.Grant, task string, stats syncline.Stats, e *syncline.Error) {
	s.Helper()
	end := syncline.TaskEnd{Name: task, State: syncline.TaskSucceeded, Stats: stats, Error: e}
	if e != nil {
		end.State = syncline.TaskFailed
	}
	must(s, s.ledger.EndTask(s.ctx, g.Hold(), end))
}

// succeed is a whole run in which all goes well.
func (s *shelf) succeed(tasks ...string) string {
	s.Helper()
	id := s.start()
	g := s.claim(tasks...)
	for _, t := range tasks {
		s.end(g, t, syncline.Stats{Counts: syncline.Counts{Read: 3, Inserted: 3, Bytes: 30}, Expected: 4}, nil)
	}
	_, err := s.ledger.Finish(s.ctx, g.Hold())
	must(s, err)
	return id
}

func (s *shelf) get(id string) *pb.TransferResource {
	s.Helper()
	doc, err := s.api.GetTransferResource(s.ctx, &pb.GetTransferResourceRequest{Name: s.name + "/transferResources/" + id})
	must(s, err)
	return doc
}

// list is the ids of all pages, a bar between two of them.
func (s *shelf) list(size int32, filter string) string {
	s.Helper()
	var pages []string
	for token := ""; ; {
		got, err := s.api.ListTransferResources(s.ctx, &pb.ListTransferResourcesRequest{Parent: s.name, PageSize: size, PageToken: token, Filter: filter})
		must(s, err)
		var ids []string
		for _, r := range got.GetTransferResources() {
			ids = append(ids, r.GetName()[strings.LastIndexByte(r.GetName(), '/')+1:])
		}
		pages = append(pages, strings.Join(ids, " "))
		if token = got.GetNextPageToken(); token == "" {
			return strings.Join(pages, "|")
		}
	}
}

// stands checks where a resource stands.
func (s *shelf) stands(id string, state pb.ResourceTransferState, percent float64, latest, success string) *pb.TransferResource {
	s.Helper()
	r := s.get(id)
	run := func(b *pb.TransferRunBrief) string {
		return strings.TrimPrefix(b.GetRun(), s.name+"/runs/")
	}
	d := r.GetLatestStatusDetail()
	if d.GetState() != state || d.GetCompletedPercentage() != percent || run(r.GetLatestRun()) != latest || run(r.GetLastSuccessfulRun()) != success {
		s.Errorf("%s stands at %s, %v%%, latest run %s, successful %s; want %s, %v%%, %q, %q", id,
			d.GetState(), d.GetCompletedPercentage(), r.GetLatestRun(), r.GetLastSuccessfulRun(), state, percent, latest, success)
	}
	if r.GetType() != pb.ResourceType_RESOURCE_TYPE_TABLE || r.GetDestination() != pb.ResourceDestination_RESOURCE_DESTINATION_BIGQUERY || r.GetUpdateTime() == nil {
		s.Errorf("%s is %v", id, r)
	}
	return r
}

// An entity follows the runs of its config, the newest of them and the last that went well.
func TestResourceLives(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "orders", "users", "new")
	s.stands("orders", entityPending, 0, "", "")
	first := s.succeed("orders", "main.users")
	r := s.stands("orders", entitySucceeded, 100, first, first)
	if got := text(r.GetLatestStatusDetail().GetSummary().GetMetrics()); got != `[{"unit":1,"total":30,"completed":30},{"unit":2,"total":3,"completed":3}]` {
		t.Errorf("summary %s", got)
	}
	if r.GetLatestRun().GetStartTime() == nil || r.GetLatestStatusDetail().GetError() != nil {
		t.Errorf("orders is %v", r)
	}
	if got := s.list(0, ""); got != "main.users new orders" {
		t.Errorf("listed: %s", got)
	}
	s.stands("new", entityPending, 0, "", "")

	second := s.start()
	s.stands("orders", entityPending, 0, second, first)
	g := s.claim("orders", "main.users", "new")
	s.stands("new", entityRunning, 0, second, "")
	for read, percent := range map[int64]float64{5: 50, 25: 100} {
		_, err := s.ledger.Report(s.ctx, []syncline.TaskReport{{Run: second, Token: g.Run.Token, Task: "orders", Stats: syncline.Stats{
			Counts: syncline.Counts{Read: read, Inserted: read - 1, Rejected: 1, Bytes: 7}, Expected: 10,
		}}})
		must(t, err)
		r = s.stands("orders", entityRunning, percent, second, first)
		rows := r.GetLatestStatusDetail().GetSummary().GetMetrics()[1]
		if rows.GetTotal() != max(read, 10) || rows.GetCompleted() != read-1 || rows.GetFailed() != 1 || rows.GetPending() != max(0, 10-read) {
			t.Errorf("%d rows of about 10: %v", read, rows)
		}
	}
	s.end(g, "orders", syncline.Stats{Expected: -1}, syncline.Errorf(syncline.NotFound, "no table orders"))
	s.end(g, "main.users", syncline.Stats{Expected: 0}, nil)
	s.end(g, "new", syncline.Stats{Expected: 0}, nil)
	_, err := s.ledger.Finish(s.ctx, g.Hold())
	must(t, err)
	e := s.stands("orders", entityFailed, 0, second, first).GetLatestStatusDetail().GetError()
	if e.GetCode() != 5 || e.GetMessage() != "no table orders" || len(e.GetDetails()) > 0 {
		t.Errorf("error %v", e)
	}
	s.stands("main.users", entitySucceeded, 100, second, second)

	// One that never got as far as its tables has failed for all of them.
	third := s.start()
	_, err = s.ledger.Fail(s.ctx, s.claim().Hold(), syncline.Errorf(syncline.PermissionDenied, "the door is shut").Of(syncline.ClassConfig))
	must(t, err)
	s.stands("orders", entityFailed, 0, third, first)
	if e := s.stands("new", entityFailed, 0, third, second).GetLatestStatusDetail().GetError(); e.GetCode() != 7 {
		t.Errorf("error %v", e)
	}
	fourth := s.start()
	_, err = s.ledger.Cancel(s.ctx, fourth, "enough")
	must(t, err)
	s.stands("orders", entityCancelled, 0, fourth, first)
}

// The last success is found behind many runs that failed, and no older one takes its place.
func TestResourceFarBack(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "orders")
	s.succeed("orders")
	success := s.succeed("orders")
	var last string
	for range 9 {
		last = s.start()
		g := s.claim("orders")
		s.end(g, "orders", syncline.Stats{}, syncline.Errorf(syncline.NotFound, "gone").Of(syncline.ClassConfig))
		_, err := s.ledger.Finish(s.ctx, g.Hold())
		must(t, err)
	}
	s.stands("orders", entityFailed, 0, last, success)
}

func TestResourceList(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "*")
	if got := s.list(0, ""); got != "" {
		t.Errorf("before any run: %s", got)
	}
	s.succeed("b", "a/ü", "d", "c", "a")
	for _, c := range []struct {
		size         int32
		filter, want string
	}{
		{0, "", "a a~2f~c3~bc b c d"},
		{2, "", "a a~2f~c3~bc|b c|d"},
		{5, "", "a a~2f~c3~bc b c d"},
		{5000, "", "a a~2f~c3~bc b c d"},
		{1, `name="*/b" OR name="*/d"`, "b|d"},
		{2, `NOT name="*/a*"`, "b c|d"},
		{0, "type=RESOURCE_TYPE_PARTITION", ""},
		{0, "latestStatusDetail.state=RESOURCE_TRANSFER_SUCCEEDED name:Resources/c", "c"},
		{0, `update_time > "2020-01-01T00:00:00Z" destination=RESOURCE_DESTINATION_BIGQUERY name:s/b`, "b"},
		{0, "hierarchy_detail.partition_detail.table=x", ""},
	} {
		if got := s.list(c.size, c.filter); got != c.want {
			t.Errorf("%d of %q: %s, want %s", c.size, c.filter, got, c.want)
		}
	}
}

func TestResourceRefused(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "orders")
	list := func(r *pb.ListTransferResourcesRequest) error {
		_, err := s.api.ListTransferResources(s.ctx, r)
		return err
	}
	get := func(ctx context.Context, name string) error {
		_, err := s.api.GetTransferResource(ctx, &pb.GetTransferResourceRequest{Name: name})
		return err
	}
	s.succeed("a", "b", "c")
	first, err := s.api.ListTransferResources(s.ctx, &pb.ListTransferResourcesRequest{Parent: s.name, PageSize: 1})
	must(t, err)
	for what, c := range map[string]struct {
		err  error
		want syncline.Code
	}{
		"no such entity": {get(s.ctx, s.name+"/transferResources/x"), syncline.NotFound},
		"no such config": {get(s.ctx, s.name+"0/transferResources/a"), syncline.NotFound},
		"no name":        {get(s.ctx, s.name), syncline.InvalidArgument},
		"nobody":         {get(t.Context(), s.name+"/transferResources/a"), syncline.Unauthenticated},
		"size":           {list(&pb.ListTransferResourcesRequest{Parent: s.name, PageSize: -1}), syncline.InvalidArgument},
		"filter":         {list(&pb.ListTransferResourcesRequest{Parent: s.name, Filter: "latest_run.run=x"}), syncline.InvalidArgument},
		"token":          {list(&pb.ListTransferResourcesRequest{Parent: s.name, PageToken: "x"}), syncline.InvalidArgument},
		"other filter":   {list(&pb.ListTransferResourcesRequest{Parent: s.name, PageToken: first.GetNextPageToken(), Filter: "name:a"}), syncline.InvalidArgument},
		"no parent":      {list(&pb.ListTransferResourcesRequest{Parent: s.name + "0"}), syncline.NotFound},
	} {
		if got := syncline.CodeOf(c.err); got != c.want {
			t.Errorf("%s: %v, want %s", what, c.err, c.want)
		}
	}
}
