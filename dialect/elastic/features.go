package elastic

// https://github.com/elastic/elasticsearch/blob/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/ConnectorFeatures.java
var (
	featuresParser = parser{name: "connector_update_features_request", fields: []field{
		{name: "features", kind: object, required: true, read: objectOf(featureSetParser)},
	}}
	featureSetParser = parser{name: "connector_features", fields: []field{
		{name: "document_level_security", kind: object, read: objectOf(featureParser)},
		{name: "incremental_sync", kind: object, read: objectOf(featureParser)},
		{name: "native_connector_api_keys", kind: object, read: objectOf(featureParser)},
		{name: "sync_rules", kind: object, read: objectOf(syncRulesParser)},
	}}
	syncRulesParser = parser{name: "sync_rules_features", fields: []field{
		{name: "advanced", kind: object, read: objectOf(featureParser)},
		{name: "basic", kind: object, read: objectOf(featureParser)},
	}}
	featureParser = parser{name: "connector_feature_enabled", fields: []field{
		{name: "enabled", kind: boolean, required: true},
	}}
)

func (c *call) updateFeatures() (answer, error) {
	given, err := c.asked(featuresParser)
	if err != nil {
		return answer{}, err
	}
	return c.update(set(given))
}

// https://github.com/elastic/elasticsearch/blob/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/ConnectorIngestPipeline.java
var (
	pipelineParser = parser{name: "connector_update_pipeline_request", fields: []field{
		{name: "pipeline", kind: object, required: true, read: objectOf(ingestParser)},
	}}
	ingestParser = parser{name: "connector_ingest_pipeline", fields: []field{
		{name: "extract_binary_content", kind: boolean, required: true},
		{name: "name", required: true},
		{name: "reduce_whitespace", kind: boolean, required: true},
		{name: "run_ml_inference", kind: boolean, required: true},
	}}
)

func (c *call) updatePipeline() (answer, error) {
	given, err := c.asked(pipelineParser)
	if err != nil {
		return answer{}, err
	}
	return c.update(set(given))
}
