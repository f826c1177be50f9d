package elasticsearch

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// refusal is an answer that says no.
type refusal struct {
	status int
	kind   string // "index_not_found_exception"
	reason string
	after  time.Duration // how long it asks us to wait
}

func (r *refusal) Error() string {
	if r.kind == "" {
		return fmt.Sprintf("status %d", r.status)
	}
	return fmt.Sprintf("%s: %s", r.kind, r.reason)
}

// cause is how the API says what is wrong, with a request or with one item of it.
type cause struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
	By     *cause `json:"caused_by"`
}

// text is the cause in one line of bounded length, the innermost reason with it.
func (c cause) text() string {
	s := c.Reason
	if c.By != nil && c.By.Reason != "" && !strings.Contains(s, c.By.Reason) {
		s += ": " + c.By.Reason
	}
	const enough = 600
	if len(s) > enough {
		s = strings.ToValidUTF8(s[:enough], "") + "…"
	}
	return s
}

func refused(resp *http.Response, answer []byte, now time.Time) *refusal {
	r := &refusal{status: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"), now)}
	var doc struct{ Error json.RawMessage }
	if json.Unmarshal(answer, &doc) != nil {
		return r // a proxy's page, perhaps
	}
	var c cause
	if json.Unmarshal(doc.Error, &c) == nil {
		r.kind, r.reason = c.Type, c.text()
	}
	return r
}

// retryAfter reads seconds or a date; 0 when there is neither.
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// is reports whether err is a refusal of one of these kinds.
func is(err error, kinds ...string) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return false
	}
	for _, k := range kinds {
		if r.kind == k {
			return true
		}
	}
	return false
}

func status(err error) int {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status
	}
	return 0
}

// connection reports whether a fault lies between here and the cluster, and may pass.
func connection(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		noTLS       tls.RecordHeaderError
		ours        *syncline.Error // from the dialer: this address is not to be reached
	)
	switch {
	case errors.As(err, &certificate), errors.As(err, &noTLS), errors.As(err, &ours):
		return false
	}
	return !errors.Is(err, http.ErrSchemeMismatch) && !errors.Is(err, errTooMuch)
}

// failed makes an error one that a person may see, and that says what to do next.
func failed(ctx context.Context, err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*syncline.Error](err); ok || errors.Is(err, syncline.ErrLeaseLost) {
		return err
	}
	doing = fmt.Sprintf(doing, args...)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.explain(doing)
	}
	if !connection(err) {
		return syncline.Errorf(syncline.Unavailable, "%s: %w", doing, bare(err)).Of(syncline.ClassNetwork).
			Try("see that the address, and whether it wants TLS, are right")
	}
	return syncline.Errorf(syncline.Unavailable, "%s: %w", doing, bare(err)).Of(syncline.ClassNetwork).
		Try("see that the server runs and can be reached from here").Again()
}

// bare takes the URL off an error: it is long, and says nothing that is not said already.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func (r *refusal) explain(doing string) error {
	e := syncline.Errorf(syncline.Unavailable, "%s: %w", doing, r).Of(syncline.ClassDestination)
	switch {
	case r.status == http.StatusUnauthorized:
		e.Code, e.Class = syncline.Unauthenticated, syncline.ClassAuth
		return e.Try("give a user and password, or an API key, that the cluster knows")
	case r.kind == "cluster_block_exception":
		return e.Because("no_space").Try("free space on the cluster's disks, then lift the block: PUT index/_settings {\"index.blocks.read_only_allow_delete\": null}").Again()
	case r.status == http.StatusForbidden:
		e.Code, e.Class = syncline.PermissionDenied, syncline.ClassAuth
		return e.Try("give the user or key the privileges read, write, create_index and manage on the index, and on %s", checkpointIndex)
	case busy(r.status):
		e.Code, e.Class, e.RetryAfter = syncline.ResourceExhausted, syncline.ClassQuota, r.after
		return e.Try("the cluster asks to come again later: write with fewer requests in flight, or give it more room").Again()
	case r.status >= 500:
		return e.Try("see the cluster's log").Again()
	}
	e.Code = syncline.FailedPrecondition
	return e.Try("see the index's mapping and settings")
}
