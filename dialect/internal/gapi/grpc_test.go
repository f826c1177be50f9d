package gapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

func TestGRPC(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c, ctx := pb.NewDataTransferServiceClient(f.dial()), t.Context()
	f.say = func(_ context.Context, heard proto.Message) (proto.Message, error) {
		return heard.(*pb.UpdateTransferConfigRequest).GetTransferConfig(), nil
	}
	long := strings.Repeat("x", 1<<20)
	for _, o := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
		got, err := c.UpdateTransferConfig(ctx, &pb.UpdateTransferConfigRequest{
			TransferConfig: &pb.TransferConfig{DisplayName: long}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"transfer_config.displayName"}},
		}, o...)
		if err != nil || got.GetDisplayName() != long {
			t.Fatalf("%v, %d bytes", err, len(got.GetDisplayName()))
		}
		if paths := f.heard.(*pb.UpdateTransferConfigRequest).GetUpdateMask().GetPaths(); len(paths) != 1 || paths[0] != "display_name" {
			t.Errorf("the mask is %q", paths)
		}
		if f.who.Key != "k1" {
			t.Errorf("it was %v", f.who)
		}
	}
	f.say = func(context.Context, proto.Message) (proto.Message, error) {
		return &pb.TransferConfig{Name: "n", DisplayName: "d"}, nil
	}
	got, err := c.GetTransferConfig(metadata.AppendToOutgoingContext(ctx, "x-goog-fieldmask", "displayName"), &pb.GetTransferConfigRequest{Name: "n"})
	if err != nil || !proto.Equal(got, &pb.TransferConfig{DisplayName: "d"}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestGRPCErrors(t *testing.T) {
	t.Parallel()
	f := setup(t)
	conn := f.dial(grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64 << 20)))
	c, ctx := pb.NewDataTransferServiceClient(conn), t.Context()
	f.say = func(context.Context, proto.Message) (proto.Message, error) {
		return nil, syncline.Invalid("transfer_config.schedule", "the schedule „täglich“ is 100%% no schedule\n").Try("look")
	}
	_, err := c.GetTransferConfig(ctx, &pb.GetTransferConfigRequest{})
	s := status.Convert(err)
	const want = "the schedule „täglich“ is 100% no schedule\n: look"
	if s.Code() != codes.InvalidArgument || s.Message() != want || len(s.Details()) != 1 {
		t.Fatalf("%v %q %v", s.Code(), s.Message(), s.Details())
	}
	if bad, ok := s.Details()[0].(*errdetails.BadRequest); !ok || bad.GetFieldViolations()[0].GetField() != "transfer_config.schedule" {
		t.Errorf("%v", s.Details())
	}
	f.say = func(context.Context, proto.Message) (proto.Message, error) { return nil, errors.New("canary") }
	_, err = c.GetTransferConfig(ctx, &pb.GetTransferConfigRequest{})
	if s := status.Convert(err); s.Code() != codes.Internal || strings.Contains(s.Message(), "canary") || !strings.Contains(f.log.String(), "canary") {
		t.Error(s, f.log)
	}
	f.say = func(context.Context, proto.Message) (proto.Message, error) { panic("canary2") }
	_, err = c.GetTransferConfig(ctx, &pb.GetTransferConfigRequest{})
	if s := status.Convert(err); s.Code() != codes.Internal || strings.Contains(s.Message(), "canary2") || !strings.Contains(f.log.String(), "canary2") {
		t.Error(s, f.log)
	}
	_, err = c.UpdateTransferConfig(ctx, &pb.UpdateTransferConfigRequest{UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"nope"}}})
	if s := status.Convert(err); s.Code() != codes.InvalidArgument || !strings.Contains(s.Message(), `"nope"`) {
		t.Error(s)
	}
	_, err = c.CheckValidCreds(ctx, &pb.CheckValidCredsRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
	err = conn.Invoke(ctx, "/google.cloud.bigquery.datatransfer.v1.DataTransferService/Nope", &pb.CheckValidCredsRequest{}, &pb.TransferConfig{})
	if status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
	_, err = c.CreateTransferConfig(ctx, &pb.CreateTransferConfigRequest{Parent: strings.Repeat("x", 5<<20)})
	if s := status.Convert(err); s.Code() != codes.InvalidArgument || !strings.Contains(s.Message(), "larger") {
		t.Error(s)
	}
	_, err = c.CreateTransferConfig(ctx, &pb.CreateTransferConfigRequest{Parent: strings.Repeat("x", 50<<20)}, grpc.UseCompressor(gzip.Name))
	if s := status.Convert(err); s.Code() != codes.InvalidArgument || !strings.Contains(s.Message(), "larger") {
		t.Error(s)
	}
	_, err = c.GetTransferConfig(metadata.AppendToOutgoingContext(ctx, "x-goog-fieldmask", "nope"), &pb.GetTransferConfigRequest{})
	if status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	f.as.Key = ""
	_, err = c.GetTransferConfig(ctx, &pb.GetTransferConfigRequest{})
	if status.Code(err) != codes.Unauthenticated {
		t.Error(err)
	}
}

func TestGRPCDeadline(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := pb.NewDataTransferServiceClient(f.dial())
	ended := make(chan error, 1)
	f.say = func(ctx context.Context, _ proto.Message) (proto.Message, error) {
		_, bounded := ctx.Deadline()
		if !bounded {
			ended <- errors.New("the call has no deadline")
			return nil, ctx.Err()
		}
		<-ctx.Done()
		ended <- nil
		return nil, ctx.Err()
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	_, err := c.GetTransferConfig(ctx, &pb.GetTransferConfigRequest{})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
