package gapi

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/synclinehq/syncline"
)

const (
	grpcType   = "application/grpc"
	maxDetails = 6 << 10 // bytes of details in a trailer: some clients take 8 kB of all of them
)

// isGRPC reports whether a request is a call over gRPC
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func isGRPC(r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.Header.Get("Content-Type"), grpcType)
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';') && r.ProtoMajor == 2 && r.Method == http.MethodPost
}

// serves reports whether a path is of one of the services, whatever the method.
func (m *Mux) serves(path string) bool {
	for _, s := range m.o.Services {
		if strings.HasPrefix(path, "/"+s.Desc.ServiceName+"/") {
			return true
		}
	}
	return false
}

// serveGRPC answers a unary call. It is done here rather than by grpc.Server because the
// door's own writer, limits and callers then hold for gRPC as they do for REST.
func (m *Mux) serveGRPC(w http.ResponseWriter, r *http.Request) {
	raw, err := m.unary(w, r)
	if err != nil {
		writeTrailers(w, m.failure(r, err))
		return
	}
	startGRPC(w)
	_, _ = w.Write(frame(raw)) // a caller that is gone needs no answer
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

func (m *Mux) unary(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	one := m.methods[r.URL.Path]
	if one == nil {
		return nil, syncline.Errorf(syncline.Unimplemented, "there is no method %s", clip(r.URL.Path))
	}
	if err := known(r); err != nil {
		return nil, err
	}
	if err := protoWanted(r); err != nil {
		return nil, err
	}
	ctx, stop, err := withTimeout(r)
	if err != nil {
		return nil, err
	}
	defer stop()
	fields, err := parseFields(r.Header.Get(fieldsHeader), one.desc.Output())
	if err != nil {
		return nil, err
	}
	body, err := readFrame(w, r)
	if err != nil {
		return nil, err
	}
	return m.answer(ctx, one, body, fields)
}

func (m *Mux) answer(ctx context.Context, one *method, body []byte, fields *selection) ([]byte, error) {
	out, err := m.invoke(ctx, one, func(req protoreflect.Message) error {
		if err := proto.Unmarshal(body, req.Interface()); err != nil {
			return syncline.Errorf(syncline.InvalidArgument, "the message is not a %s", req.Descriptor().FullName())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(fields.prune(out))
	if err != nil {
		return nil, fmt.Errorf("draw %s: %w", one.desc.Output().FullName(), err)
	}
	return raw, nil
}

// protoWanted refuses messages in any other coding.
func protoWanted(r *http.Request) error {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.TrimSpace(kind) {
	case grpcType, grpcType + "+proto":
		return nil
	}
	return syncline.Errorf(syncline.Unimplemented, "messages of the type %s are not understood", clip(kind))
}

func startGRPC(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", grpcType)
	h.Set("Grpc-Accept-Encoding", "identity,gzip")
	w.WriteHeader(http.StatusOK)
}

// writeTrailers answers with an error over gRPC.
func writeTrailers(w http.ResponseWriter, f *failure) {
	startGRPC(w)
	h := w.Header()
	h.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(int(f.number)))
	h.Set(http.TrailerPrefix+"Grpc-Message", escape(f.rpc.Message))
	// Some clients raise an error of their own when the two do not say the same.
	if raw, err := proto.Marshal(f.rpc); err == nil && len(f.rpc.Details) > 0 && len(raw) <= maxDetails {
		h.Set(http.TrailerPrefix+"Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(raw))
	}
}

// escape is text as a trailer carries it.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
