package elasticsearch

import (
	"testing"

	"github.com/synclinehq/syncline/destination/destinationtest"
	"github.com/synclinehq/syncline/testserver"
)

func fixture(server func(testing.TB) *testserver.Search) destinationtest.Fixture {
	return destinationtest.Fixture{
		New:       func(t testing.TB) destinationtest.Place { return newPlace(t, server(t)) },
		Converges: true,
		Cannot: map[string]string{
			"ReplaceShowsNothingBeforePublish": "rows are seen as they come",
		},
	}
}

func TestSuite(t *testing.T) {
	t.Run("OpenSearch", func(t *testing.T) { destinationtest.Run(t, fixture(testserver.OpenSearch)) })
	t.Run("Elasticsearch", func(t *testing.T) {
		f := fixture(testserver.Elasticsearch)
		f.Cannot["BigRows"] = "with a heap of 512 MB it takes rows of up to 12 MiB: TestRowBeyondMemory"
		destinationtest.Run(t, f)
	})
}
