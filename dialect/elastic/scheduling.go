package elastic

// https://github.com/elastic/elasticsearch/blob/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/ConnectorScheduling.java
var (
	schedulingParser = parser{name: "connector_update_scheduling_request", fields: []field{
		{name: "scheduling", kind: object, required: true, read: objectOf(schedulesParser)},
	}}
	schedulesParser = parser{name: "connector_scheduling", fields: []field{
		{name: "access_control", kind: object, read: objectOf(scheduleParser)},
		{name: "full", kind: object, read: objectOf(scheduleParser)},
		{name: "incremental", kind: object, read: objectOf(scheduleParser)},
	}}
	scheduleParser = parser{name: "schedule_config", fields: []field{
		{name: "enabled", kind: boolean, required: true},
		{name: "interval", required: true, read: cron},
	}}
)

func cron(_ []byte, v *value) (any, error) {
	if err := checkCron(v.text); err != nil {
		e := illegal("invalid cron expression [%s]", v.text)
		e.cause = illegal("%s", said(err))
		return nil, e
	}
	return v.text, nil
}

func (c *call) updateScheduling() (answer, error) {
	given, err := schedulingParser.given(c, true)
	if err != nil {
		return answer{}, err
	}
	var found []string
	if len(given["scheduling"].(map[string]any)) == 0 {
		found = []string{"[scheduling] object needs to define at least one schedule type: [full | incremental | access_control]"}
	}
	if err := c.valid(found...); err != nil {
		return answer{}, err
	}
	return c.update(set(given))
}
