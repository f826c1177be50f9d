package main

import "google.golang.org/protobuf/proto"

// Members that only REST has, or had when this was written, have no published number:
// ours start at 1001, where no published one will ever be met.

// resourceFile is what REST alone can ask of a config's entities.
func resourceFile() *file {
	const configs = "projects/*/locations/*/transferConfigs/*"
	return &file{
		Name: proto.String("google/cloud/bigquery/datatransfer/v1/transferresource.proto"), Package: proto.String(pkg),
		Syntax: proto.String("proto3"), Options: options(),
		Dependency: []string{
			"google/api/annotations.proto", "google/api/client.proto", "google/api/field_behavior.proto", "google/api/resource.proto",
			"google/protobuf/timestamp.proto", "google/rpc/status.proto",
		},
		MessageType: append(resourceRequests(), resourceMessages()...),
		EnumType:    resourceEnums(),
		Service: services(serviceOf(
			"TransferResourceService",
			rpc("GetTransferResource", "GetTransferResourceRequest", "TransferResource", both(get, "/v1/{name="+configs+"/transferResources/*}")...),
			rpc("ListTransferResources", "ListTransferResourcesRequest", "ListTransferResourcesResponse",
				both(get, "/v1/{parent="+configs+"}/transferResources")...),
		)),
	}
}

func resourceRequests() []*message {
	return []*message{
		messageOf("GetTransferResourceRequest", required(text("name", 1001))),
		messageOf("ListTransferResourcesRequest", required(text("parent", 1001)), scalar("page_size", 1002, typeInt32), text("page_token", 1003), text("filter", 1004)),
		messageOf("ListTransferResourcesResponse", output(repeated(child("transfer_resources", 1001, "TransferResource"))), output(text("next_page_token", 1002))),
	}
}

func resourceMessages() []*message {
	r := messageOf(
		"TransferResource",
		text("name", 1001), choice("type", 1002, "ResourceType"), choice("destination", 1003, "ResourceDestination"),
		child("latest_run", 1004, "TransferRunBrief"), output(child("last_successful_run", 1005, "TransferRunBrief")),
		child("latest_status_detail", 1006, "TransferResourceStatusDetail"), child("hierarchy_detail", 1007, "HierarchyDetail"),
		output(child("update_time", 1008, timestamp)))
	return []*message{
		resource(r, "TransferResource", "projects/{project}/transferConfigs/{transfer_config}/transferResources/{transfer_resource}",
			"projects/{project}/locations/{location}/transferConfigs/{transfer_config}/transferResources/{transfer_resource}"),
		messageOf("TransferRunBrief", text("run", 1001), child("start_time", 1002, timestamp)),
		messageOf("TransferResourceStatusDetail", choice("state", 1001, "ResourceTransferState"), output(scalar("completed_percentage", 1002, typeDouble)),
			child("error", 1003, "google.rpc.Status"), child("summary", 1004, "TransferStatusSummary")),
		messageOf("TransferStatusSummary", repeated(child("metrics", 1001, "TransferStatusMetric")), inputOnly(choice("progress_unit", 1002, "TransferStatusUnit"))),
		messageOf("TransferStatusMetric", choice("unit", 1001, "TransferStatusUnit"), scalar("total", 1002, typeInt64),
			scalar("completed", 1003, typeInt64), scalar("failed", 1004, typeInt64), scalar("pending", 1005, typeInt64)),
		oneOf(messageOf("HierarchyDetail", child("table_detail", 1001, "TableDetail"), child("partition_detail", 1002, "PartitionDetail")), "detail"),
		messageOf("TableDetail", scalar("partition_count", 1001, typeInt64)),
		messageOf("PartitionDetail", text("table", 1001)),
	}
}

func resourceEnums() []*enum {
	return []*enum{
		values("ResourceType", "RESOURCE_TYPE_UNSPECIFIED", "RESOURCE_TYPE_TABLE", "RESOURCE_TYPE_PARTITION"),
		values("ResourceDestination", "RESOURCE_DESTINATION_UNSPECIFIED", "RESOURCE_DESTINATION_BIGQUERY",
			"RESOURCE_DESTINATION_DATAPROC_METASTORE", "RESOURCE_DESTINATION_BIGLAKE_METASTORE",
			"RESOURCE_DESTINATION_BIGLAKE_REST_CATALOG", "RESOURCE_DESTINATION_BIGLAKE_HIVE_CATALOG"),
		values("ResourceTransferState", "RESOURCE_TRANSFER_STATE_UNSPECIFIED", "RESOURCE_TRANSFER_PENDING", "RESOURCE_TRANSFER_RUNNING",
			"RESOURCE_TRANSFER_SUCCEEDED", "RESOURCE_TRANSFER_FAILED", "RESOURCE_TRANSFER_CANCELLED"),
		values("TransferStatusUnit", "TRANSFER_STATUS_UNIT_UNSPECIFIED", "TRANSFER_STATUS_UNIT_BYTES", "TRANSFER_STATUS_UNIT_OBJECTS"),
	}
}
