// Package client is the native API for Go programs: its documents and its calls. The
// command line and workers use it; dialect/native draws the same documents. It decides
// nothing.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/synclinehq/syncline"
)

// callTimeout bounds every call that does not follow something.
const callTimeout = 30 * time.Second

// maxAnswer bounds what is read of one answer.
const maxAnswer = 256 << 20

// ReasonLeaseLost marks, on the wire, the error that is syncline.ErrLeaseLost here.
const ReasonLeaseLost = "lease_lost"

// Client speaks the native API. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base string
}

// New makes a client of the API below base ("http://syncline/api/v1"), reached through rt.
func New(rt http.RoundTripper, base string) *Client {
	return &Client{http: &http.Client{Transport: rt}, base: base}
}

// Failure is the document of every answer that is not a success.
type Failure struct {
	Error *syncline.Error `json:"error"`
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, out)
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPost, path, in, out)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { drain(resp.Body) }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// send answers with a response that is a success; its body is the caller's to close.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreached(ctx, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer drain(resp.Body)
	return nil, failure(resp)
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		doc, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("write the request %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(doc)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make the request %s %s: %w", method, path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// drain lets the connection be used again.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 64<<10))
	_ = body.Close()
}

// unreached keeps the ends of contexts and errors that are already for people as they are.
func unreached(ctx context.Context, err error) error {
	var e *syncline.Error
	switch {
	case errors.As(err, &e):
		return e
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return syncline.Errorf(syncline.Unavailable, "the process that holds the ledger does not answer: %w", err).Of(syncline.ClassNetwork).Again()
}

// failure gives back the error that the other side had.
func failure(resp *http.Response) error {
	var f Failure
	doc, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if json.Unmarshal(doc, &f) != nil || f.Error == nil {
		return syncline.Errorf(syncline.Internal, "the process that holds the ledger answered %s", resp.Status)
	}
	if resp.StatusCode == http.StatusConflict && f.Error.Reason == ReasonLeaseLost {
		return syncline.ErrLeaseLost
	}
	return f.Error
}
