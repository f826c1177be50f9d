package main

import "google.golang.org/protobuf/proto"

// partnerFile is the partner's half of the API, datasource.proto. The real service answers
// it with a location only; we answer the other form as well.
func partnerFile() *file {
	const runs = "projects/*/locations/*/transferConfigs/*/runs/*"
	const definitions = "projects/*/locations/*/dataSourceDefinitions/*"
	return &file{
		Name: proto.String("google/cloud/bigquery/datatransfer/v1/datasource.proto"), Package: proto.String(pkg),
		Syntax: proto.String("proto3"), Options: options(),
		Dependency: []string{
			"google/api/annotations.proto", "google/api/client.proto", "google/api/field_behavior.proto", "google/api/resource.proto",
			"google/cloud/bigquery/datatransfer/v1/datatransfer.proto", "google/cloud/bigquery/datatransfer/v1/transfer.proto",
			"google/protobuf/duration.proto", "google/protobuf/empty.proto", "google/protobuf/field_mask.proto", "google/protobuf/wrappers.proto",
		},
		MessageType: append([]*message{imported()}, partnerMessages()...),
		EnumType:    []*enum{values("WriteDisposition", "WRITE_DISPOSITION_UNSPECIFIED", "WRITE_TRUNCATE", "WRITE_APPEND")},
		Service: services(serviceOf(
			"DataSourceService",
			rpc("UpdateTransferRun", "UpdateTransferRunRequest", "TransferRun", both(patches("transfer_run"), "/v1/{transfer_run.name="+runs+"}")...),
			rpc("LogTransferRunMessages", "LogTransferRunMessagesRequest", empty, both(posts("*"), "/v1/{name="+runs+"}:logMessages")...),
			rpc("StartBigQueryJobs", "StartBigQueryJobsRequest", empty, both(posts("*"), "/v1/{name="+runs+"}:startBigQueryJobs")...),
			rpc("FinishRun", "FinishRunRequest", empty, both(posts("*"), "/v1/{name="+runs+"}:finishRun")...),
			rpc("CreateDataSourceDefinition", "CreateDataSourceDefinitionRequest", "DataSourceDefinition",
				both(posts("data_source_definition"), "/v1/{parent=projects/*/locations/*}/dataSourceDefinitions")...),
			rpc("UpdateDataSourceDefinition", "UpdateDataSourceDefinitionRequest", "DataSourceDefinition",
				both(patches("data_source_definition"), "/v1/{data_source_definition.name="+definitions+"}")...),
			rpc("DeleteDataSourceDefinition", "DeleteDataSourceDefinitionRequest", empty, both(del, "/v1/{name="+definitions+"}")...),
			rpc("GetDataSourceDefinition", "GetDataSourceDefinitionRequest", "DataSourceDefinition", both(get, "/v1/{name="+definitions+"}")...),
			rpc("ListDataSourceDefinitions", "ListDataSourceDefinitionsRequest", "ListDataSourceDefinitionsResponse",
				both(get, "/v1/{parent=projects/*/locations/*}/dataSourceDefinitions")...),
		)),
	}
}

func partnerMessages() []*message {
	return []*message{
		messageOf("UpdateTransferRunRequest", child("transfer_run", 1, "TransferRun"), required(child("update_mask", 2, fieldMask))),
		messageOf("LogTransferRunMessagesRequest", text("name", 1), repeated(child("transfer_messages", 2, "TransferMessage"))),
		messageOf("StartBigQueryJobsRequest", text("name", 1), repeated(child("imported_data", 2, "ImportedDataInfo")),
			scalar("user_credentials", 3, typeBytes), scalar("max_parallelism", 8, typeInt32)),
		messageOf("FinishRunRequest", text("name", 1)),
		messageOf("CreateDataSourceDefinitionRequest", text("parent", 1), child("data_source_definition", 2, "DataSourceDefinition")),
		messageOf("UpdateDataSourceDefinitionRequest", child("data_source_definition", 1, "DataSourceDefinition"), child("update_mask", 2, fieldMask)),
		messageOf("DeleteDataSourceDefinitionRequest", text("name", 1)),
		messageOf("GetDataSourceDefinitionRequest", text("name", 1)),
		messageOf("ListDataSourceDefinitionsRequest", text("parent", 1), text("page_token", 2), scalar("page_size", 3, typeInt32)),
		messageOf("ListDataSourceDefinitionsResponse", repeated(child("data_source_definitions", 1, "DataSourceDefinition")), output(text("next_page_token", 2))),
		definition(),
	}
}

func definition() *message {
	m := messageOf(
		"DataSourceDefinition",
		text("name", 21), child("data_source", 1, "DataSource"), text("transfer_run_pubsub_topic", 13),
		child("run_time_offset", 16, "google.protobuf.Duration"), text("support_email", 22), text("service_account", 2),
		scalar("disabled", 5, typeBool), text("transfer_config_pubsub_topic", 12), repeated(text("supported_location_ids", 23)))
	return resource(m, "DataSourceDefinition", "projects/{project}/dataSourceDefinitions/{data_source_definition}",
		"projects/{project}/locations/{location}/dataSourceDefinitions/{data_source_definition}")
}

func imported() *message {
	m := messageOf(
		"ImportedDataInfo",
		text("sql", 1), text("destination_table_id", 2), text("destination_table_description", 10),
		repeated(child("table_defs", 3, "ImportedDataInfo.TableDefinition")), repeated(text("user_defined_functions", 4)),
		choice("write_disposition", 6, "WriteDisposition"))
	m.NestedType = []*message{fieldSchema(), messageOf("RecordSchema", repeated(child("fields", 1, "ImportedDataInfo.FieldSchema"))), tableDefinition()}
	m.EnumType = []*enum{
		values("Format", "FORMAT_UNSPECIFIED", "CSV", "JSON", "AVRO", "RECORDIO", "COLUMNIO", "CAPACITOR", "PARQUET", "ORC"),
		values("Encoding", "ENCODING_UNSPECIFIED", "ISO_8859_1", "UTF8"),
	}
	return m
}

func fieldSchema() *message {
	m := messageOf("FieldSchema", text("field_name", 1), choice("type", 2, "ImportedDataInfo.FieldSchema.Type"),
		scalar("is_repeated", 3, typeBool), text("description", 4), child("schema", 5, "ImportedDataInfo.RecordSchema"))
	m.EnumType = []*enum{values("Type", "TYPE_UNSPECIFIED", "STRING", "INTEGER", "FLOAT", "RECORD", "BYTES", "BOOLEAN",
		"TIMESTAMP", "DATE", "TIME", "DATETIME", "NUMERIC", "GEOGRAPHY")}
	return m
}

func tableDefinition() *message {
	m := messageOf("TableDefinition", text("table_id", 1), repeated(text("source_uris", 2)), choice("format", 3, "ImportedDataInfo.Format"),
		scalar("max_bad_records", 4, typeInt32), choice("encoding", 5, "ImportedDataInfo.Encoding"),
		child("csv_options", 6, "ImportedDataInfo.TableDefinition.CsvOptions"), child("schema", 7, "ImportedDataInfo.RecordSchema"),
		child("ignore_unknown_values", 10, boolValue))
	m.NestedType = []*message{messageOf(
		"CsvOptions", child("field_delimiter", 1, stringValue), child("allow_quoted_newlines", 2, boolValue),
		child("quote_char", 3, stringValue), child("skip_leading_rows", 4, "google.protobuf.Int64Value"), child("allow_jagged_rows", 5, boolValue))}
	return m
}
