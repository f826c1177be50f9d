package postgres

import "testing"

// TestWhatAnOwnerGrants: joins get a quarter of the upkeep's memory, and never less than
// the server gives to any query.
func TestWhatAnOwnerGrants(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, c := range []struct{ work, upkeep, want string }{{"4MB", "64MB", "16MB"}, {"256MB", "64MB", "256MB"}, {"4MB", "2GB", "512MB"}} {
		p.exec(t, "set work_mem = '"+c.work+"'")
		p.exec(t, "set maintenance_work_mem = '"+c.upkeep+"'")
		p.exec(t, spreadSQL, false)
		if got := p.text(t, "select current_setting('work_mem')"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
