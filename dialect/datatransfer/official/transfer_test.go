package official

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	datatransfer "cloud.google.com/go/bigquery/datatransfer/apiv1"
	pb "cloud.google.com/go/bigquery/datatransfer/apiv1/datatransferpb"
	"github.com/jackc/pgx/v5"
	rest "google.golang.org/api/bigquerydatatransfer/v1"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	_ "modernc.org/sqlite"

	"github.com/synclinehq/syncline/testserver"
)

// key goes with every call of a gRPC client.
type key string

func (k key) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(k)}, nil
}
func (key) RequireTransportSecurity() bool { return false }

func (s *server) grpc(t *testing.T) *datatransfer.Client {
	t.Helper()
	c, err := datatransfer.NewClient(t.Context(), option.WithEndpoint(s.host), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		option.WithGRPCDialOption(grpc.WithPerRPCCredentials(key(s.key))))
	ok(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *server) rest(t *testing.T) *rest.Service {
	t.Helper()
	c, err := rest.NewService(t.Context(), option.WithEndpoint(s.url+"/"), option.WithHTTPClient(&http.Client{Transport: bearer(s.key)}))
	ok(t, err)
	return c
}

const parent = "projects/p1/locations/us"

// table fills ten rows a day for five days, until today.
func table(t *testing.T) (source *url.URL, today time.Time) {
	t.Helper()
	source, err := url.Parse(testserver.Database(t))
	ok(t, err)
	c, err := pgx.Connect(t.Context(), source.String())
	ok(t, err)
	defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
	today = time.Now().UTC().Truncate(24 * time.Hour)
	_, err = c.Exec(t.Context(), `create table orders (id bigint primary key, at timestamptz not null, v text)`)
	ok(t, err)
	_, err = c.Exec(t.Context(), `insert into orders select 10 * d + n, $1::timestamptz - make_interval(days => d) + make_interval(hours => n), 'v' || n
		from generate_series(1, 5) d, generate_series(0, 9) n`, today)
	ok(t, err)
	return source, today
}

func params(t *testing.T, source *url.URL) *structpb.Struct {
	t.Helper()
	password, _ := source.User.Password()
	port, err := strconv.Atoi(source.Port())
	ok(t, err)
	p, err := structpb.NewStruct(map[string]any{
		"host": source.Hostname(), "port": port, "user": source.User.Username(), "password": password, "sslmode": "disable",
		"database": strings.TrimPrefix(source.Path, "/"), "tables": []any{"public.orders"}, "cursor": "at",
	})
	ok(t, err)
	return p
}

// TestTransfer makes a config over gRPC, runs it, rewrites three days, and reads all of it
// over REST, too.
func TestTransfer(t *testing.T) {
	source, today := table(t)
	s := serve(t)
	c, r := s.grpc(t), s.rest(t)
	config, err := c.CreateTransferConfig(t.Context(), &pb.CreateTransferConfigRequest{Parent: parent, TransferConfig: &pb.TransferConfig{
		Destination: &pb.TransferConfig_DestinationDatasetId{DestinationDatasetId: "lake"}, DisplayName: "orders", DataSourceId: "postgres",
		Params: params(t, source), Schedule: "every 15 minutes",
	}})
	ok(t, err)
	if got := config.GetParams().GetFields()["password"].GetStringValue(); got != "" && got != "•••" {
		t.Error("the password is shown")
	}
	first := s.run(t, c, config.GetName(), timestamppb.Now())
	if first.GetState() != pb.TransferState_SUCCEEDED {
		t.Fatalf("the first run is %s: %v", first.GetState(), first.GetErrorStatus())
	}
	lake := open(t, filepath.Join(s.dir, "data", "datasets", "lake.db"))
	t.Logf("first run: %d rows", count(t, lake, "select count(*) from orders"))

	// All of it, by a run of the command line over the same pipeline.
	if full := s.full(t, c, config.GetName()); full.GetState() != pb.TransferState_SUCCEEDED {
		t.Fatalf("the run of the command line is %s: %v", full.GetState(), full.GetErrorStatus())
	}
	if n := count(t, lake, "select count(*) from orders"); n != 50 {
		t.Fatalf("the dataset has %d rows of 50", n)
	}
	_, err = lake.Exec("update orders set v = 'changed by hand'")
	ok(t, err)
	daily, err := c.UpdateTransferConfig(t.Context(), &pb.UpdateTransferConfigRequest{
		TransferConfig: &pb.TransferConfig{Name: config.GetName(), Schedule: "every day 00:00"}, UpdateMask: mask("schedule"),
	})
	ok(t, err)
	if daily.GetSchedule() != "every day 00:00" || daily.GetDisplayName() != "orders" {
		t.Errorf("updated: %v", daily)
	}
	started, err := c.StartManualTransferRuns(t.Context(), &pb.StartManualTransferRunsRequest{
		Parent: config.GetName(),
		Time: &pb.StartManualTransferRunsRequest_RequestedTimeRange{RequestedTimeRange: &pb.StartManualTransferRunsRequest_TimeRange{
			StartTime: timestamppb.New(today.AddDate(0, 0, -3)), EndTime: timestamppb.New(today),
		}},
	})
	ok(t, err)
	if len(started.GetRuns()) != 3 {
		t.Fatalf("%d runs were started", len(started.GetRuns()))
	}
	for _, run := range started.GetRuns() {
		done := s.wait(t, c, run.GetName())
		if done.GetState() != pb.TransferState_SUCCEEDED || done.GetSchedule() != "" {
			t.Errorf("the run for %s is %s, of schedule %q: %v", done.GetRunTime().AsTime(), done.GetState(), done.GetSchedule(), done.GetErrorStatus())
		}
	}
	// Runs for the last three midnights rewrote the days that end there.
	if n := count(t, lake, "select count(*) from orders where v = 'changed by hand'"); n != 20 {
		t.Errorf("%d rows are still as they were changed by hand, want 20", n)
	}
	s.agree(t, r, c, config.GetName())
	s.failure(t, c, source)
}

// run starts a run for a moment and waits for its end.
func (s *server) run(t *testing.T, c *datatransfer.Client, config string, at *timestamppb.Timestamp) *pb.TransferRun {
	t.Helper()
	started, err := c.StartManualTransferRuns(t.Context(), &pb.StartManualTransferRunsRequest{
		Parent: config, Time: &pb.StartManualTransferRunsRequest_RequestedRunTime{RequestedRunTime: at},
	})
	ok(t, err)
	return s.wait(t, c, started.GetRuns()[0].GetName())
}

func (s *server) wait(t *testing.T, c *datatransfer.Client, name string) (run *pb.TransferRun) {
	t.Helper()
	until(t, name+" ends", func() bool {
		var err error
		run, err = c.GetTransferRun(t.Context(), &pb.GetTransferRunRequest{Name: name})
		ok(t, err)
		return run.GetEndTime() != nil
	})
	return run
}

// shown is a run as the command line prints it.
type shown struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Pipeline string    `json:"pipeline"`
	Started  time.Time `json:"started_at"`
	Ended    time.Time `json:"ended_at"`
}

// full runs the pipeline of a config from the command line, which reads everything.
func (s *server) full(t *testing.T, c *datatransfer.Client, config string) *pb.TransferRun {
	t.Helper()
	var all []struct{ Name string }
	s.json(&all, "pipelines")
	if len(all) != 1 {
		t.Fatalf("the pipelines are %v", all)
	}
	if out, err := s.command("run", all[0].Name).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	newest, err := c.ListTransferRuns(t.Context(), &pb.ListTransferRunsRequest{Parent: config}).Next()
	ok(t, err)
	return s.wait(t, c, newest.GetName())
}

// agree compares what REST, gRPC and the command line say of every run.
func (s *server) agree(t *testing.T, r *rest.Service, c *datatransfer.Client, config string) {
	t.Helper()
	seen := 0
	for it := c.ListTransferRuns(t.Context(), &pb.ListTransferRunsRequest{Parent: config}); ; seen++ {
		run, err := it.Next()
		if err == iterator.Done {
			break
		}
		ok(t, err)
		over, err := r.Projects.Locations.TransferConfigs.Runs.Get(run.GetName()).Do()
		ok(t, err)
		var local shown
		s.json(&local, "runs", "show", run.GetName()[strings.LastIndexByte(run.GetName(), '/')+1:])
		ended, err := time.Parse(time.RFC3339Nano, over.EndTime)
		ok(t, err)
		if over.State != run.GetState().String() || !ended.Equal(run.GetEndTime().AsTime()) || !ended.Equal(local.Ended) {
			t.Errorf("%s is %s until %s, over REST %s until %s, here %s until %s", run.GetName(), run.GetState(), run.GetEndTime().AsTime(), over.State, ended, local.State, local.Ended)
		}
		logs, err := r.Projects.Locations.TransferConfigs.Runs.TransferLogs.List(run.GetName()).Do()
		ok(t, err)
		t.Logf("%s %s, %d messages", over.RunTime, over.State, len(logs.TransferMessages))
	}
	if seen != 5 {
		t.Errorf("%d runs are listed, want 5: one for now, one of the command line, three of the backfill", seen)
	}
}

// failure is a run that cannot succeed.
func (s *server) failure(t *testing.T, c *datatransfer.Client, source *url.URL) {
	t.Helper()
	p := params(t, source)
	p.Fields["tables"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("public.absent")}})
	config, err := c.CreateTransferConfig(t.Context(), &pb.CreateTransferConfigRequest{Parent: parent, TransferConfig: &pb.TransferConfig{
		Destination: &pb.TransferConfig_DestinationDatasetId{DestinationDatasetId: "lake"}, DataSourceId: "postgres", Params: p,
	}})
	ok(t, err)
	failed := s.run(t, c, config.GetName(), timestamppb.Now())
	if failed.GetState() != pb.TransferState_FAILED || failed.GetErrorStatus().GetCode() == 0 || !strings.Contains(failed.GetErrorStatus().GetMessage(), "absent") {
		t.Errorf("a run over a table that is not there is %s: %v", failed.GetState(), failed.GetErrorStatus())
	}
	_, err = c.GetTransferConfig(t.Context(), &pb.GetTransferConfigRequest{Name: parent + "/transferConfigs/none"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("a config that is not there: %v", err)
	}
}

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	ok(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", query, err))
	}
	return n
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
