package syncline

// Aspect is how a run looks to somebody who wants one word: its state, told apart by the
// facts that some API has a state of its own for. Every run has exactly one. It is drawn,
// and kept by stores only so that runs can be found by it.
type Aspect string

const (
	AspectPending   Aspect = "pending" // never begun
	AspectAgain     Aspect = "again"   // has begun, waits for its next try or for any worker
	AspectRunning   Aspect = "running"
	AspectCanceling Aspect = "canceling" // runs, and was asked to stop
	AspectSuspended Aspect = "suspended" // for whatever but a worker that stopped
	AspectSucceeded Aspect = "succeeded"
	AspectRejects   Aspect = "rejects" // succeeded, and some rows could not be kept
	AspectPartly    Aspect = "partly"  // succeeded, and some tasks failed
	AspectFailed    Aspect = "failed"
	AspectCanceled  Aspect = "canceled"
	AspectSkipped   Aspect = "skipped"
)

// Aspects lists them all.
var Aspects = []Aspect{
	AspectPending, AspectAgain, AspectRunning, AspectCanceling, AspectSuspended,
	AspectSucceeded, AspectRejects, AspectPartly, AspectFailed, AspectCanceled, AspectSkipped,
}

// Aspect draws it.
func (r *Run) Aspect() Aspect {
	switch f := r.Facts; {
	case r.State == StatePending && !r.StartedAt.IsZero(), r.State == StateSuspended && r.Wait == WaitShutdown:
		return AspectAgain
	case r.State == StateRunning && !f.CancelAskedAt.IsZero():
		return AspectCanceling
	case r.State == StateSucceeded && f.FailedTasks > 0:
		return AspectPartly
	case r.State == StateSucceeded && f.Rejects > 0:
		return AspectRejects
	}
	return Aspect(r.State)
}
