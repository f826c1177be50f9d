// Package auth says who may do what. The server's door finds out who calls and puts it into
// the request's context; a dialect asks, before it does anything, whether the caller may.
package auth

import (
	"context"
	"slices"

	"github.com/synclinehq/syncline"
)

// Role is what a key is for.
type Role string

const (
	Viewer   Role = "viewer"   // reads, secrets masked
	Operator Role = "operator" // and starts, cancels, holds, resumes
	Editor   Role = "editor"   // and changes pipelines and sets their secrets
	Admin    Role = "admin"    // and keys, retention, everything else
	Worker   Role = "worker"   // reads, claims and reports on the pipelines of its scope, nothing else
)

// Action is what a request is about to do.
type Action string

const (
	Read       Action = "read"
	Operate    Action = "operate"    // start, cancel, hold, resume, delete a run
	Edit       Action = "edit"       // make, change or delete a pipeline
	Work       Action = "work"       // claim, report, end, and read the secrets that takes
	Administer Action = "administer" // keys, stored secrets, the process
)

// grants is the one table of who may what.
var grants = map[Role][]Action{
	Viewer:   {Read},
	Operator: {Read, Operate},
	Editor:   {Read, Operate, Edit},
	Admin:    {Read, Operate, Edit, Work, Administer},
	Worker:   {Read, Operate, Work},
}

// Principal is who calls.
type Principal struct {
	Key   string // the id of the key; "" nobody
	Name  string // what people call the key
	Role  Role
	Scope []string // worker: names of the only pipelines it may see; empty: all
	// Local is a process of the same user on this machine, over the socket in the data
	// directory: it may do everything, and name files and variables of this machine.
	Local bool
}

// Local is who calls over the socket.
var Local = Principal{Key: "local", Name: "local", Role: Admin, Local: true}

// May reports whether the caller may do this to the pipeline of that name; "" stands for
// what concerns no pipeline, or all. It is Unauthenticated for nobody, else
// PermissionDenied.
func (p Principal) May(a Action, pipeline string) error {
	if err := p.Can(a); err != nil {
		return err
	}
	if !p.Sees(pipeline) {
		return syncline.Errorf(syncline.PermissionDenied, "key %s is not for this pipeline", p.Key).Of(syncline.ClassAuth)
	}
	return nil
}

// Can is May of a dialect that shows the pipelines the caller does not see as missing: it
// asks for the role alone.
func (p Principal) Can(a Action) error {
	switch {
	case p.Key == "":
		return ErrNoKey()
	case !slices.Contains(grants[p.Role], a):
		return syncline.Errorf(syncline.PermissionDenied, "key %s has the role %s, which may not %s", p.Key, p.Role, a).Of(syncline.ClassAuth)
	}
	return nil
}

// ErrNoKey is the answer to a request without a key.
func ErrNoKey() *syncline.Error {
	return syncline.Errorf(syncline.Unauthenticated, "no key was given").Of(syncline.ClassAuth).
		Try("send one: Authorization: ApiKey …, Bearer … or Basic …; syncline keys create makes one")
}

// Sees reports whether a pipeline is within the caller's scope.
func (p Principal) Sees(pipeline string) bool {
	return len(p.Scope) == 0 || pipeline != "" && slices.Contains(p.Scope, pipeline)
}

type principalKey struct{}

// With puts the caller into a request's context.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From is the caller; nobody when the door has not said who.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
