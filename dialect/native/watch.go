package native

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/client"
)

const (
	watchPoll  = 500 * time.Millisecond
	watchWrite = 10 * time.Second // a reader that takes nothing for so long is gone
)

// watch registers the live view of a run: server-sent events, each the whole run, until
// the last one, which is final.
func (a *API) watch() {
	op := huma.Operation{
		OperationID: "watch-run", Method: http.MethodGet, Path: Base + "/runs/{run}/watch", Summary: "Follow a run",
		Middlewares: a.gate(auth.Read),
		Description: "Server-sent events \"run\", each with the run as it is then, until it has ended; \"error\" when it cannot be read.",
		Responses:   map[string]*huma.Response{"200": {Content: map[string]*huma.MediaType{"text/event-stream": {}}}},
	}
	huma.Register(a.api, op, func(ctx context.Context, in *RunPath) (*huma.StreamResponse, error) {
		d, err := a.find(ctx, in.Run)
		if err != nil {
			return nil, drawError(ctx, a.o.Log, err)
		}
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			_, w := humago.Unwrap(hctx)
			a.stream(hctx.Context(), w, d.Run.ID)
		}}, nil
	})
}

func (a *API) stream(ctx context.Context, w http.ResponseWriter, id string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	ctx, stop := a.untilClosed(ctx)
	defer stop()
	var last []byte
	for d, err := range a.o.Ledger.Watch(ctx, id, watchPoll) {
		if ctx.Err() != nil {
			return
		}
		var run client.Run
		if err == nil {
			run, err = a.draw(ctx, d)
		}
		if err != nil {
			_ = send(w, "error", drawError(ctx, a.o.Log, err).Failure)
			return
		}
		doc, err := json.Marshal(run)
		if err != nil {
			a.o.Log.Error("draw a run", "run", id, "err", err)
			return
		}
		if bytes.Equal(doc, last) && !d.Run.State.Final() {
			continue
		}
		if last = doc; send(w, "run", json.RawMessage(doc)) != nil {
			return
		}
	}
}

// send writes one event and pushes it out.
func send(w http.ResponseWriter, name string, data any) error {
	doc, err := json.Marshal(data)
	if err != nil {
		return err
	}
	c := http.NewResponseController(w)
	if err := c.SetReadDeadline(time.Time{}); err != nil { // a stream outlives the time for reading a request
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(watchWrite)); err != nil {
		return err
	}
	for _, piece := range [][]byte{[]byte("event: " + name + "\ndata: "), doc, []byte("\n\n")} {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return c.Flush()
}

// untilClosed ends with ctx or with the API.
func (a *API) untilClosed(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-a.closed:
		case <-ctx.Done():
		}
		cancel()
	}()
	return ctx, func() { cancel(); <-ended }
}
