package app

import "github.com/synclinehq/syncline/dialect/elastic"

// upstream is the search cluster of the settings, nil when they name none.
func (a *App) upstream() *elastic.Upstream {
	u := a.o.Settings.Elastic.Upstream
	if u == nil {
		return nil
	}
	a.scrubber.Add(u.Password, u.APIKey)
	return &elastic.Upstream{URL: u.URL, User: u.User, Password: u.Password, APIKey: u.APIKey, CA: u.CA, Dial: newDialer().DialContext}
}
