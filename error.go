package syncline

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of failure happened. These are the codes of google.rpc
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto) in
// lower case, and no others: every wire has one table from them to its own status.
type Code string

const (
	Canceled           Code = "cancelled"
	Unknown            Code = "unknown"
	InvalidArgument    Code = "invalid_argument"
	DeadlineExceeded   Code = "deadline_exceeded"
	NotFound           Code = "not_found"
	AlreadyExists      Code = "already_exists"
	PermissionDenied   Code = "permission_denied"
	ResourceExhausted  Code = "resource_exhausted"
	FailedPrecondition Code = "failed_precondition" // the object is in the wrong state for this
	Aborted            Code = "aborted"             // somebody else changed it meanwhile
	OutOfRange         Code = "out_of_range"
	Unimplemented      Code = "unimplemented"
	Internal           Code = "internal"
	Unavailable        Code = "unavailable" // try again later
	DataLoss           Code = "data_loss"
	Unauthenticated    Code = "unauthenticated"
)

// Class says where a failure arose, for people who must decide whom to ask.
type Class string

const (
	ClassConfig      Class = "config"
	ClassAuth        Class = "auth"
	ClassNetwork     Class = "network"
	ClassSource      Class = "source"
	ClassDestination Class = "destination"
	ClassData        Class = "data"
	ClassQuota       Class = "quota"
	ClassInternal    Class = "internal"
)

// Error is an error that a person outside the program may see. It never holds a
// secret. Anything that is not an *Error is internal: logged in full, shown as
// "internal error".
type Error struct {
	Code    Code   `json:"code"`
	Class   Class  `json:"class,omitempty"`
	Reason  string `json:"reason,omitempty"` // a short stable word scripts may match: "unbalanced", "no_space"
	Message string `json:"message"`          // what happened, to what
	Hint    string `json:"hint,omitempty"`   // the next step
	Field   string `json:"field,omitempty"`  // the setting or request field at fault
	// Retryable: the same call may succeed later, without anybody changing anything.
	Retryable bool `json:"retryable,omitempty"`
	// RetryAfter is how long the other side asked us to wait; 0 when it did not say.
	RetryAfter time.Duration `json:"retry_after,omitempty"`
	At         time.Time     `json:"at,omitzero"`
	Err        error         `json:"-"` // for errors.Is; its text is never shown
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Errorf builds an *Error; %w works as in fmt.Errorf.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Invalid is the error for something that a person got wrong in what they configure; field
// says where, as in "entities[1].cursor".
func Invalid(field, format string, args ...any) *Error {
	e := Errorf(InvalidArgument, format, args...).Of(ClassConfig)
	e.Field = field
	return e
}

// Of sets the class and returns e.
func (e *Error) Of(c Class) *Error { e.Class = c; return e }

// Because sets the reason and returns e.
func (e *Error) Because(reason string) *Error { e.Reason = reason; return e }

// Try sets the hint, the next step for the reader, and returns e.
func (e *Error) Try(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Again marks the error retryable and returns e.
func (e *Error) Again() *Error { e.Retryable = true; return e }

// CodeOf reports the code of err: "" for nil, Internal for what is not an *Error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// ErrLeaseLost tells a worker that the run, or the part, is no longer its own. The
// only right answer is to stop at once and write nothing more.
var ErrLeaseLost = errors.New("lease lost: another worker holds this run now")
