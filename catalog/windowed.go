package catalog

import "github.com/synclinehq/syncline"

// Windowed refuses a definition whose runs cannot have a window: one that names no cursor for
// an entity has nothing by which a stretch of it could be found. Whether the cursor is a time,
// and whether the destination can replace a stretch, is found when the run begins, before a
// row is read.
func Windowed(d syncline.Definition) error {
	if d.Owner == syncline.OwnerExternal {
		return syncline.Invalid("window", "the runs of an outside worker cannot have a window").Try("leave it out, or ask the worker for the stretch")
	}
	if len(d.Entities) == 0 {
		return syncline.Invalid("cursor", "everything is read, by no cursor, so no stretch of it can be").
			Try("name the entities, each with its cursor: a column of dates or timestamps")
	}
	for _, e := range d.Entities {
		if e.Cursor == "" {
			return syncline.Invalid("cursor", "entity %q has no cursor, so no stretch of it can be read", e.Name).
				Try("give it one, a column of dates or timestamps: cursor: created_at")
		}
	}
	return nil
}
