package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/synclinehq/syncline"
)

// Watch yields a run whenever it may have changed, until it has ended; the last one
// yielded is final. A stream that is cut is taken up again, also by another process
// that holds the ledger meanwhile.
func (c *Client) Watch(ctx context.Context, ref string) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		for cut := 0; ; cut++ {
			heard, ended, err := c.follow(ctx, ref, yield)
			if heard {
				cut = 0
			}
			switch {
			case ended:
				return
			case ctx.Err() != nil:
				yield(Run{}, ctx.Err())
				return
			case err != nil && (syncline.CodeOf(err) != syncline.Unavailable || cut > 20):
				yield(Run{}, err)
				return
			}
			pause(ctx, 200*time.Millisecond)
		}
	}
}

// follow reads one stream. ended: there is nothing more to yield.
func (c *Client) follow(ctx context.Context, ref string, yield func(Run, error) bool) (heard, ended bool, err error) {
	resp, err := c.send(ctx, http.MethodGet, runPath(ref, "/watch"), nil)
	if err != nil {
		return false, false, err
	}
	defer resp.Body.Close()
	for event, err := range events(resp.Body) {
		if err != nil {
			return heard, false, nil // cut: the next stream says what is true
		}
		if event.name == "error" {
			var f Failure
			if err := json.Unmarshal(event.data, &f); err != nil || f.Error == nil {
				return heard, false, fmt.Errorf("read an error of the stream: %w", err)
			}
			return heard, false, f.Error
		}
		var r Run
		if err := json.Unmarshal(event.data, &r); err != nil {
			return heard, false, fmt.Errorf("read a run of the stream: %w", err)
		}
		heard = true
		if !yield(r, nil) || r.State.Final() {
			return heard, true, nil
		}
	}
	return heard, false, nil
}

type event struct {
	name string
	data []byte
}

// events reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func events(body io.Reader) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		lines := bufio.NewReader(io.LimitReader(body, 1<<40))
		var e event
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				yield(event{}, err)
				return
			}
			line = bytes.TrimRight(line, "\r\n")
			field, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch string(field) {
			case "event":
				e.name = string(value)
			case "data":
				e.data = append(e.data, value...)
			}
			if len(line) > 0 || len(e.data) == 0 {
				continue
			}
			if !yield(e, nil) {
				return
			}
			e = event{}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
