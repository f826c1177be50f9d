package elastic

import (
	"testing"

	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }
