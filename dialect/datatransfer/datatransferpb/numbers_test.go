package datatransferpb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// numbers are those that clients of the gRPC side were built with. A member that only REST
// has stands without one: it has no published number and must keep out of their range.
var numbers = map[string]string{
	"TransferConfig": "name 1, destination_dataset_id 2, display_name 3, update_time 4, data_source_id 5, schedule 7, next_run_time 8, " +
		"params 9, state 10, user_id 11, data_refresh_window_days 12, disabled 13, dataset_region 14, notification_pubsub_topic 15, " +
		"email_preferences 18, partner_token 22, partner_connection_info 23, schedule_options 24, owner_info 27, " +
		"encryption_configuration 28, schedule_options_v2 31, error 32, managed_table_type, metadata_destination, param_config",
	"ScheduleOptions":         "start_time 1, end_time 2, disable_auto_scheduling 3",
	"ScheduleOptionsV2":       "time_based_schedule 1, manual_schedule 2, event_driven_schedule 3",
	"TimeBasedSchedule":       "schedule 1, start_time 2, end_time 3",
	"EventDrivenSchedule":     "pubsub_subscription 1",
	"EmailPreferences":        "enable_failure_email 1",
	"UserInfo":                "email 1",
	"EncryptionConfiguration": "kms_key_name 1",
	"MetadataDestination":     "dataplex_configuration",
	"DataplexConfiguration":   "entry_group",
	"ParameterConfig":         "secret_manager_managed_params",

	"TransferRun": "name 1, destination_dataset_id 2, schedule_time 3, start_time 4, end_time 5, update_time 6, data_source_id 7, state 8, " +
		"params 9, run_time 10, user_id 11, schedule 12, error_status 21, labels 22, notification_pubsub_topic 23, " +
		"email_preferences 25, partner_token 28, parameter_config",
	"TransferMessage": "message_time 1, severity 2, message_text 3",

	"DataSource": "name 1, data_source_id 2, display_name 3, description 4, client_id 5, scopes 6, transfer_type 7, " +
		"supports_multiple_transfers 8, update_deadline_seconds 9, default_schedule 10, supports_custom_schedule 11, parameters 12, " +
		"help_url 13, authorization_type 14, data_refresh_type 15, default_data_refresh_window_days 16, manual_runs_disabled 17, " +
		"minimum_schedule_interval 18, partner_legal_name 22, redirect_url 23",
	"DataSourceParameter": "param_id 1, display_name 2, description 3, type 4, required 5, repeated 6, validation_regex 7, " +
		"allowed_values 8, min_value 9, max_value 10, fields 11, validation_description 12, validation_help_url 13, immutable 14, " +
		"recurse 15, deprecated 20, max_list_size, secret_manager_allowed",

	"UpdateTransferRunRequest":          "transfer_run 1, update_mask 2",
	"LogTransferRunMessagesRequest":     "name 1, transfer_messages 2",
	"StartBigQueryJobsRequest":          "name 1, imported_data 2, user_credentials 3, max_parallelism 8",
	"FinishRunRequest":                  "name 1",
	"CreateDataSourceDefinitionRequest": "parent 1, data_source_definition 2",
	"UpdateDataSourceDefinitionRequest": "data_source_definition 1, update_mask 2",
	"GetDataSourceDefinitionRequest":    "name 1",
	"DeleteDataSourceDefinitionRequest": "name 1",
	"ListDataSourceDefinitionsRequest":  "parent 1, page_token 2, page_size 3",
	"ListDataSourceDefinitionsResponse": "data_source_definitions 1, next_page_token 2",
	"DataSourceDefinition": "data_source 1, service_account 2, disabled 5, transfer_config_pubsub_topic 12, transfer_run_pubsub_topic 13, " +
		"run_time_offset 16, name 21, support_email 22, supported_location_ids 23",

	"ImportedDataInfo": "sql 1, destination_table_id 2, table_defs 3, user_defined_functions 4, write_disposition 6, destination_table_description 10",
	"ImportedDataInfo.TableDefinition": "table_id 1, source_uris 2, format 3, max_bad_records 4, encoding 5, csv_options 6, schema 7, " +
		"ignore_unknown_values 10",
	"ImportedDataInfo.TableDefinition.CsvOptions": "field_delimiter 1, allow_quoted_newlines 2, quote_char 3, skip_leading_rows 4, allow_jagged_rows 5",
	"ImportedDataInfo.RecordSchema":               "fields 1",
	"ImportedDataInfo.FieldSchema":                "field_name 1, type 2, is_repeated 3, description 4, schema 5",

	"CreateTransferConfigRequest":              "parent 1, transfer_config 2, authorization_code 3, version_info 5, service_account_name 6",
	"UpdateTransferConfigRequest":              "transfer_config 1, authorization_code 3, update_mask 4, version_info 5, service_account_name 6",
	"GetTransferConfigRequest":                 "name 1",
	"DeleteTransferConfigRequest":              "name 1",
	"GetTransferRunRequest":                    "name 1",
	"DeleteTransferRunRequest":                 "name 1",
	"GetDataSourceRequest":                     "name 1",
	"ListTransferConfigsRequest":               "parent 1, data_source_ids 2, page_token 3, page_size 4",
	"ListTransferConfigsResponse":              "transfer_configs 1, next_page_token 2",
	"ListTransferRunsRequest":                  "parent 1, states 2, page_token 3, page_size 4, run_attempt 5",
	"ListTransferRunsResponse":                 "transfer_runs 1, next_page_token 2",
	"ListTransferLogsRequest":                  "parent 1, page_token 4, page_size 5, message_types 6",
	"ListTransferLogsResponse":                 "transfer_messages 1, next_page_token 2",
	"ListDataSourcesRequest":                   "parent 1, page_token 3, page_size 4",
	"ListDataSourcesResponse":                  "data_sources 1, next_page_token 2",
	"ScheduleTransferRunsRequest":              "parent 1, start_time 2, end_time 3, labels 6",
	"ScheduleTransferRunsResponse":             "runs 1",
	"StartManualTransferRunsRequest":           "parent 1, labels 2, requested_time_range 3, requested_run_time 4",
	"StartManualTransferRunsRequest.TimeRange": "start_time 1, end_time 2",
	"StartManualTransferRunsResponse":          "runs 1",
	"CheckValidCredsRequest":                   "name 1",
	"CheckValidCredsResponse":                  "has_valid_creds 1",
	"EnrollDataSourcesRequest":                 "name 1, data_source_ids 2",
	"UnenrollDataSourcesRequest":               "name 1, data_source_ids 2",

	"ManualSchedule": "",

	"ListLocationsRequest":  "name 1, filter 2, page_size 3, page_token 4, extra_location_types",
	"ListLocationsResponse": "locations 1, next_page_token 2",
	"GetLocationRequest":    "name 1",
	"Location":              "name 1, labels 2, metadata 3, location_id 4, display_name 5",

	"TransferResource":              "name, type, destination, latest_run, last_successful_run, latest_status_detail, hierarchy_detail, update_time",
	"GetTransferResourceRequest":    "name",
	"ListTransferResourcesRequest":  "parent, page_size, page_token, filter",
	"ListTransferResourcesResponse": "transfer_resources, next_page_token",
	"TransferRunBrief":              "run, start_time",
	"TransferResourceStatusDetail":  "state, completed_percentage, error, summary",
	"TransferStatusSummary":         "metrics, progress_unit",
	"TransferStatusMetric":          "unit, total, completed, failed, pending",
	"HierarchyDetail":               "table_detail, partition_detail",
	"TableDetail":                   "partition_count",
	"PartitionDetail":               "table",
}

// words are the numbers of enums: clients that ask for enum-encoding=int get these.
var words = map[string]string{
	"TransferState": "TRANSFER_STATE_UNSPECIFIED 0, PENDING 2, RUNNING 3, SUCCEEDED 4, FAILED 5, CANCELLED 6",
	"TransferType":  "TRANSFER_TYPE_UNSPECIFIED 0, BATCH 1, STREAMING 2",
	"DataSource.AuthorizationType": "AUTHORIZATION_TYPE_UNSPECIFIED 0, AUTHORIZATION_CODE 1, GOOGLE_PLUS_AUTHORIZATION_CODE 2, " +
		"FIRST_PARTY_OAUTH 3",
	"DataSource.DataRefreshType":         "DATA_REFRESH_TYPE_UNSPECIFIED 0, SLIDING_WINDOW 1, CUSTOM_SLIDING_WINDOW 2",
	"DataSourceParameter.Type":           "TYPE_UNSPECIFIED 0, STRING 1, INTEGER 2, DOUBLE 3, BOOLEAN 4, RECORD 5, PLUS_PAGE 6, LIST 7",
	"ListTransferRunsRequest.RunAttempt": "RUN_ATTEMPT_UNSPECIFIED 0, LATEST 1",
	"TransferMessage.MessageSeverity":    "MESSAGE_SEVERITY_UNSPECIFIED 0, INFO 1, WARNING 2, ERROR 3, DEBUG 4",
	"WriteDisposition":                   "WRITE_DISPOSITION_UNSPECIFIED 0, WRITE_TRUNCATE 1, WRITE_APPEND 2",
	"ImportedDataInfo.Encoding":          "ENCODING_UNSPECIFIED 0, ISO_8859_1 1, UTF8 2",
	"ImportedDataInfo.Format":            "FORMAT_UNSPECIFIED 0, CSV 1, JSON 2, AVRO 3, RECORDIO 4, COLUMNIO 5, CAPACITOR 6, PARQUET 7, ORC 8",
	"ImportedDataInfo.FieldSchema.Type": "TYPE_UNSPECIFIED 0, STRING 1, INTEGER 2, FLOAT 3, RECORD 4, BYTES 5, BOOLEAN 6, TIMESTAMP 7, " +
		"DATE 8, TIME 9, DATETIME 10, NUMERIC 11, GEOGRAPHY 12",

	"ManagedTableType": "MANAGED_TABLE_TYPE_UNSPECIFIED 0, NATIVE 1, BIGLAKE 2",
	"ResourceType":     "RESOURCE_TYPE_UNSPECIFIED 0, RESOURCE_TYPE_TABLE 1, RESOURCE_TYPE_PARTITION 2",
	"ResourceDestination": "RESOURCE_DESTINATION_UNSPECIFIED 0, RESOURCE_DESTINATION_BIGQUERY 1, RESOURCE_DESTINATION_DATAPROC_METASTORE 2, " +
		"RESOURCE_DESTINATION_BIGLAKE_METASTORE 3, RESOURCE_DESTINATION_BIGLAKE_REST_CATALOG 4, RESOURCE_DESTINATION_BIGLAKE_HIVE_CATALOG 5",
	"ResourceTransferState": "RESOURCE_TRANSFER_STATE_UNSPECIFIED 0, RESOURCE_TRANSFER_PENDING 1, RESOURCE_TRANSFER_RUNNING 2, " +
		"RESOURCE_TRANSFER_SUCCEEDED 3, RESOURCE_TRANSFER_FAILED 4, RESOURCE_TRANSFER_CANCELLED 5",
	"TransferStatusUnit": "TRANSFER_STATUS_UNIT_UNSPECIFIED 0, TRANSFER_STATUS_UNIT_BYTES 1, TRANSFER_STATUS_UNIT_OBJECTS 2",
}

func TestEveryMemberHasItsNumber(t *testing.T) {
	seen := 0
	for _, f := range files {
		eachMessage(f.Messages(), func(m protoreflect.MessageDescriptor) {
			seen++
			if got, want := strings.Join(fields(m), ", "), numbers[local(m)]; got != want {
				t.Errorf("%s:\n got %s\nwant %s", local(m), got, want)
			}
		})
	}
	if seen != len(numbers) {
		t.Errorf("%d messages, want %d", seen, len(numbers))
	}
}

func TestEveryWordHasItsNumber(t *testing.T) {
	seen := 0
	check := func(enums protoreflect.EnumDescriptors) {
		for i := range enums.Len() {
			seen++
			if e := enums.Get(i); values(e) != words[local(e)] {
				t.Errorf("%s:\n got %s\nwant %s", local(e), values(e), words[local(e)])
			}
		}
	}
	for _, f := range files {
		check(f.Enums())
		eachMessage(f.Messages(), func(m protoreflect.MessageDescriptor) { check(m.Enums()) })
	}
	if seen != len(words) {
		t.Errorf("%d enums, want %d", seen, len(words))
	}
}

// eachMessage visits messages and those inside them, other than the entries of maps.
func eachMessage(ms protoreflect.MessageDescriptors, f func(protoreflect.MessageDescriptor)) {
	for i := range ms.Len() {
		if m := ms.Get(i); !m.IsMapEntry() {
			f(m)
			eachMessage(m.Messages(), f)
		}
	}
}

// local is a name without its package.
func local(d protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(d.FullName()), string(d.ParentFile().Package())+".")
}

// published is above every number of a published member.
const published = 1000

func fields(m protoreflect.MessageDescriptor) []string {
	var list []protoreflect.FieldDescriptor
	for i := range m.Fields().Len() {
		list = append(list, m.Fields().Get(i))
	}
	slices.SortFunc(list, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number() - b.Number()) })
	var out []string
	for _, f := range list {
		name := string(f.Name())
		if f.Number() < published {
			name = fmt.Sprint(name, " ", f.Number())
		}
		out = append(out, name)
	}
	return out
}

func values(e protoreflect.EnumDescriptor) string {
	var out []string
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		out = append(out, fmt.Sprint(v.Name(), " ", v.Number()))
	}
	return strings.Join(out, ", ")
}
