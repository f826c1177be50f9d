package main

import (
	"fmt"

	"cloud.google.com/go/bigquery/datatransfer/apiv1/datatransferpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

const goPackage = "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"

// transferFile is the public transfer.proto with the members that REST and the partner's
// side have beyond it.
func transferFile() *file {
	f := official(datatransferpb.File_google_cloud_bigquery_datatransfer_v1_transfer_proto)
	c := find(f, "TransferConfig")
	c.Field = append(c.Field,
		text("partner_token", 22),
		child("partner_connection_info", 23, "google.protobuf.Struct"),
		choice("managed_table_type", 1001, "ManagedTableType"),
		child("metadata_destination", 1002, "MetadataDestination"),
		child("param_config", 1003, "ParameterConfig"))
	r := find(f, "TransferRun")
	labels(r, "labels", 22, "TransferRun")
	r.Field = append(r.Field,
		output(text("partner_token", 28)),
		output(child("parameter_config", 1001, "ParameterConfig")))
	severity := find(f, "TransferMessage").EnumType[0]
	severity.Value = append(severity.Value, value("DEBUG", 4))
	f.EnumType = append(f.EnumType, values("ManagedTableType", "MANAGED_TABLE_TYPE_UNSPECIFIED", "NATIVE", "BIGLAKE"))
	f.MessageType = append(f.MessageType,
		messageOf("MetadataDestination", child("dataplex_configuration", 1001, "DataplexConfiguration")),
		messageOf("DataplexConfiguration", text("entry_group", 1001)),
		messageOf("ParameterConfig", repeated(text("secret_manager_managed_params", 1001))))
	return f
}

// serviceFile is the public datatransfer.proto with the same.
func serviceFile() *file {
	f := official(datatransferpb.File_google_cloud_bigquery_datatransfer_v1_datatransfer_proto)
	p := find(f, "DataSourceParameter")
	p.Field = append(p.Field, scalar("max_list_size", 1001, typeInt64), output(scalar("secret_manager_allowed", 1002, typeBool)))
	s := find(f, "DataSource")
	s.Field = append(s.Field, text("partner_legal_name", 22), text("redirect_url", 23))
	labels(find(f, "ScheduleTransferRunsRequest"), "labels", 6, "ScheduleTransferRunsRequest")
	labels(find(f, "StartManualTransferRunsRequest"), "labels", 2, "StartManualTransferRunsRequest")
	return f
}

func official(d protoreflect.FileDescriptor) *file {
	f := protodesc.ToFileDescriptorProto(d)
	f.Options = options()
	return f
}

func options() *descriptorpb.FileOptions {
	return &descriptorpb.FileOptions{GoPackage: proto.String(goPackage)}
}

func find(f *file, name string) *message {
	for _, m := range f.MessageType {
		if m.GetName() == name {
			return m
		}
	}
	panic(fmt.Sprintf("%s has no message %s", f.GetName(), name))
}
