package elastic

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Small changes do not add up to a document that nobody can read any more.
func TestDocumentLimit(t *testing.T) {
	t.Parallel()
	a := apiFor(t)
	send(t, a, http.MethodPut, "/_connector/a", "")
	part := strings.Repeat("x", maxBody-1000)
	for i := range maxDocument / maxBody {
		if status, doc := send(t, a, http.MethodPut, "/_connector/a/_last_sync", fmt.Sprintf(`{"sync_cursor":{"k%d":%q}}`, i, part)); status != http.StatusOK {
			t.Fatalf("part %d: %d %v", i, status, doc["error"])
		}
	}
	if status, doc := send(t, a, http.MethodPut, "/_connector/a/_last_sync", fmt.Sprintf(`{"sync_cursor":{"k9":%q}}`, part)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %v", status, doc)
	}
	_, doc := send(t, a, http.MethodGet, "/_connector/a", "")
	if cursor := doc["sync_cursor"].(map[string]any); cursor["k9"] != nil || cursor["k0"] != part {
		t.Error("what was refused is there, or what was there is gone")
	}
}
