package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/task"
)

// outcome turns what happened into what the engine acts on.
func outcome(ctx context.Context, c *task.Call, err error) error {
	if err == nil || errors.Is(err, syncline.ErrLeaseLost) {
		return err
	}
	if ctx.Err() != nil { // whatever failed, failed because it had to stop
		return fmt.Errorf("transfer %s: %w", c.Task.Name, context.Cause(ctx))
	}
	if change, ok := errors.AsType[*destination.SchemaChange](err); ok {
		return &task.Suspend{Wait: syncline.WaitSchemaChange, Err: schemaChange(c.Run.ID, change)}
	}
	if errors.Is(err, destination.ErrMassDelete) {
		return &task.Suspend{Wait: syncline.WaitMassDelete, Err: massDelete(c, err)}
	}
	if u, ok := errors.AsType[*destination.Unbalanced](err); ok {
		return unbalanced("%s: %w", c.Task.Name, u)
	}
	if errors.Is(err, destination.ErrUnbalanced) {
		return unbalanced("%s: %w", c.Task.Name, err)
	}
	return err
}

// voided reports whether the source says that its plan, or a position, is no longer good.
func voided(err error) bool {
	e, ok := errors.AsType[*syncline.Error](err)
	return ok && (e.Reason == "source_changed" || e.Reason == "plan_void")
}

// unbalanced is never retried: the same books would be kept by the same hands.
func unbalanced(format string, args ...any) *syncline.Error {
	return syncline.Errorf(syncline.DataLoss, format, args...).Of(syncline.ClassData).Because("unbalanced").
		Try("nothing was published; if nobody changed the stage by hand, please report this as a bug")
}

func massDelete(c *task.Call, err error) *syncline.Error {
	text := fmt.Sprintf("%s: too many rows would be removed", c.Task.Name)
	if m, ok := errors.AsType[*destination.MassDelete](err); ok {
		text = m.Error()
	}
	return syncline.Errorf(syncline.FailedPrecondition, "%s", text).Of(syncline.ClassData).Because(string(syncline.WaitMassDelete)).
		Try("if they may go: syncline runs resume %s --confirm mass_delete; if not, mend the source and cancel the run", c.Run.ID)
}

func schemaChange(run string, s *destination.SchemaChange) *syncline.Error {
	e := &syncline.Error{
		Code: syncline.FailedPrecondition, Class: syncline.ClassData, Reason: string(syncline.WaitSchemaChange),
		Field: s.Column, Err: s,
	}
	then := fmt.Sprintf("; then: syncline runs resume %s", run)
	switch {
	case s.Target == "":
		e.Message = fmt.Sprintf("%s has no column %q, which the source has as %s, and the pipeline says columns: freeze", s.Table, s.Column, s.Source)
		return e.Try("add the column to %s yourself, or set columns: add, or set columns: ignore to leave it out%s", s.Table, then)
	case s.Source == "":
		e.Message = fmt.Sprintf("the source has no column %q, which %s has as %s and cannot be without", s.Column, s.Table, s.Target)
		return e.Try("give the column a default or let it be NULL, or drop it from %s, or let the entity land in another table%s", s.Table, then)
	}
	e.Message = fmt.Sprintf("column %q of %s is %s, and the source has %s, which does not fit into it", s.Column, s.Table, s.Target, s.Source)
	return e.Try("change the column of %s to %s, or give it a fitting type in the pipeline (types: {%s: text}), or let the entity land in another table%s",
		s.Table, s.Source, s.Column, then)
}
