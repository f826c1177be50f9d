package main

import "google.golang.org/protobuf/proto"

// locationFile is the public service of locations, as this API binds it, with the one
// parameter that only REST has.
func locationFile() *file {
	const pkg = "google.cloud.location"
	location := messageOf("Location", text("name", 1), text("location_id", 4), text("display_name", 5))
	labels(location, "labels", 2, pkg+".Location")
	location.Field = append(location.Field, child("metadata", 3, "google.protobuf.Any"))
	return &file{
		Name: proto.String("google/cloud/location/locations.proto"), Package: proto.String(pkg),
		Syntax: proto.String("proto3"), Options: options(),
		Dependency: []string{"google/api/annotations.proto", "google/api/client.proto", "google/protobuf/any.proto"},
		MessageType: []*message{
			messageOf("ListLocationsRequest", text("name", 1), text("filter", 2), scalar("page_size", 3, typeInt32), text("page_token", 4),
				repeated(text("extra_location_types", 1001))),
			messageOf("ListLocationsResponse", repeated(child("locations", 1, pkg+".Location")), text("next_page_token", 2)),
			messageOf("GetLocationRequest", text("name", 1)),
			location,
		},
		Service: services(serviceOf(
			"Locations",
			rpc("ListLocations", pkg+".ListLocationsRequest", pkg+".ListLocationsResponse", get("/v1/{name=projects/*}/locations")),
			rpc("GetLocation", pkg+".GetLocationRequest", pkg+".Location", get("/v1/{name=projects/*/locations/*}")),
		)),
	}
}
