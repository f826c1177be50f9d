package sqlstore

import (
	"github.com/synclinehq/syncline"
)

// PutOffer stores what the parts of a task need, and nothing of the parts themselves.
func (t *Tx) PutOffer(o syncline.Offer) error {
	d, err := doc(o)
	if err != nil {
		return err
	}
	err = t.s.Later(`insert into {offers} (run_id, task, doc) values ($1, $2, $3) on conflict (run_id, task) do update set doc = excluded.doc`, o.Run, o.Task, d)
	return wrapf(err, "offer task %s of run %s", o.Task, o.Run)
}

// Offer is nil if there is none.
func (t *Tx) Offer(runID, task string) (*syncline.Offer, error) {
	o, err := first(t, fromDoc[*syncline.Offer], `select doc from {offers} where run_id = $1 and task = $2`, runID, task)
	return o, wrapf(err, "read the offer of task %s of run %s", task, runID)
}

// PutParts inserts or replaces parts of an offer.
func (t *Tx) PutParts(ps ...syncline.OfferedPart) error {
	args := make([][]any, len(ps))
	for i, p := range ps {
		d, err := doc(p)
		if err != nil {
			return err
		}
		args[i] = []any{p.Run, p.Task, p.Part, p.Ordinal, string(p.State), d}
	}
	if len(ps) == 0 {
		return nil
	}
	_, err := t.s.Each(`insert into {parts} (run_id, task, part, ordinal, state, doc) values ($1, $2, $3, $4, $5, $6)
		on conflict (run_id, task, part) do update set state = excluded.state, doc = excluded.doc`, args)
	return wrapf(err, "store %d parts of run %s", len(ps), ps[0].Run)
}

// Parts lists the offered parts of a task in their order.
func (t *Tx) Parts(runID, task string) ([]syncline.OfferedPart, error) {
	ps, err := list(t, fromDoc[syncline.OfferedPart], `select doc from {parts} where run_id = $1 and task = $2 order by ordinal{lock}`, runID, task)
	return ps, wrapf(err, "list the parts of task %s of run %s", task, runID)
}

// OpenParts names the tasks that have parts for anybody.
func (t *Tx) OpenParts(limit int) ([]syncline.OfferedPart, error) {
	ps, err := list(t, func(scan Scan) (p syncline.OfferedPart, err error) {
		return p, scan(&p.Run, &p.Task)
	}, `select run_id, task from {parts} where state = 'open' group by run_id, task order by run_id, task limit $1`, most(limit))
	return ps, wrapf(err, "look for parts that are open")
}

// DeleteOffers withdraws what is offered of a run, or of one task of it.
func (t *Tx) DeleteOffers(runID, task string) error {
	err := t.s.Later(`delete from {offers} where run_id = $1 and ($2 = '' or task = $2)`, runID, task)
	if err == nil {
		err = t.s.Later(`delete from {parts} where run_id = $1 and ($2 = '' or task = $2)`, runID, task)
	}
	return wrapf(err, "withdraw the offers of run %s", runID)
}
