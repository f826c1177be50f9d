package elastic

import "slices"

// statuses are those of a connector, and what each may become through _status.
// https://github.com/elastic/elasticsearch/blob/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/ConnectorStateMachine.java
var statuses = map[string][]string{
	"created":          {needsConfiguration, inError},
	needsConfiguration: {configured, inError},
	configured:         {needsConfiguration, configured, "connected", inError},
	"connected":        {"connected", configured, inError},
	inError:            {"connected", configured, inError},
}

var statusParser = parser{name: "connector_update_status_request", fields: []field{
	{name: "status", required: true, read: enumOf("ConnectorStatus", true, "created", needsConfiguration, configured, "connected", inError)},
}}

func (c *call) updateStatus() (answer, error) {
	given, err := c.asked(statusParser)
	if err != nil {
		return answer{}, err
	}
	to := given["status"].(string)
	return c.updateLive(func(doc map[string]any) error {
		from, _ := doc["status"].(string)
		if !slices.Contains(statuses[from], to) {
			return rule("Invalid transition attempt from [%s] to [%s]. Such a status transition is not supported by the Connector Protocol.", from, to)
		}
		doc["status"] = to
		return nil
	})
}

var errorParser = parser{name: "connector_update_error_request", fields: []field{{name: "error", kind: textOrNull, required: true}}}

// updateError is what a connector says of its last try; none, that it is well.
func (c *call) updateError() (answer, error) {
	given, err := c.asked(errorParser)
	if err != nil {
		return answer{}, err
	}
	return c.update(func(doc map[string]any) error {
		doc["error"], doc["status"] = given["error"], inError
		if given["error"] == nil || given["error"] == "" {
			doc["status"] = "connected"
		}
		return nil
	})
}

func (c *call) checkIn() (answer, error) {
	if err := c.valid(); err != nil {
		return answer{}, err
	}
	return c.update(set(map[string]any{"last_seen": jobTime(c.now())}))
}

var syncStatuses = []string{"pending", "in_progress", "canceling", "canceled", "suspended", "completed", "error"}

var lastSyncParser = parser{name: "connector_update_last_sync_stats_request", fields: []field{
	{name: "last_access_control_sync_error", kind: textOrNull},
	{name: "last_access_control_sync_scheduled_at", kind: textOrNull, read: instantField},
	{name: "last_access_control_sync_status", kind: textOrNull, read: enumOf("ConnectorSyncStatus", true, syncStatuses...)},
	{name: "last_deleted_document_count", kind: long},
	{name: "last_incremental_sync_scheduled_at", kind: textOrNull, read: instantField},
	{name: "last_indexed_document_count", kind: long},
	{name: "last_sync_error", kind: textOrNull},
	{name: "last_sync_scheduled_at", kind: textOrNull, read: instantField},
	{name: "last_sync_status", kind: textOrNull, read: enumOf("ConnectorSyncStatus", true, syncStatuses...)},
	{name: "last_synced", kind: textOrNull, read: instantField},
	{name: "sync_cursor", kind: objectOrNull},
}}

// updateLastSync stores what is said of the last sync and follows nothing from it.
func (c *call) updateLastSync() (answer, error) {
	given, err := c.asked(lastSyncParser)
	if err != nil {
		return answer{}, err
	}
	return c.update(set(withoutNulls(given)))
}
