package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// comments say in a sentence what a method does: descriptors that are embedded in a program
// have lost theirs. They stand over the Go methods and in the discovery document.
var comments = map[string]string{
	"ListDataSources":         "Lists the data sources that transfers can read.",
	"GetDataSource":           "Returns a data source with its parameters.",
	"CheckValidCreds":         "Says whether valid credentials for the data source are at hand.",
	"EnrollDataSources":       "Puts data sources into the lists of the project.",
	"UnenrollDataSources":     "Takes data sources out of the lists of the project.",
	"CreateTransferConfig":    "Creates a transfer config, which runs by its schedule from then on.",
	"UpdateTransferConfig":    "Changes the members of a transfer config that the update mask names.",
	"GetTransferConfig":       "Returns a transfer config.",
	"ListTransferConfigs":     "Lists the transfer configs of the project.",
	"DeleteTransferConfig":    "Deletes a transfer config with its runs and logs.",
	"ScheduleTransferRuns":    "Creates runs for every slot of a time range. StartManualTransferRuns replaces it.",
	"StartManualTransferRuns": "Starts runs now, for one run time or for every slot of a time range.",
	"GetTransferRun":          "Returns a run.",
	"ListTransferRuns":        "Lists the runs of a transfer config, the newest first.",
	"DeleteTransferRun":       "Deletes a run; one that is running is cancelled first.",
	"ListTransferLogs":        "Lists the log messages of a run.",

	"UpdateTransferRun":          "Changes the state of a run, for the partner that works on it.",
	"LogTransferRunMessages":     "Adds log messages to a run.",
	"StartBigQueryJobs":          "Loads data that is ready into the destination.",
	"FinishRun":                  "Says that the partner is done with a run, which ends when its last load has.",
	"CreateDataSourceDefinition": "Registers a data source that a partner works for.",
	"UpdateDataSourceDefinition": "Changes the members of a data source definition that the update mask names.",
	"DeleteDataSourceDefinition": "Deletes a data source definition that no transfer config refers to.",
	"GetDataSourceDefinition":    "Returns a data source definition.",
	"ListDataSourceDefinitions":  "Lists the data source definitions.",

	"GetTransferResource":   "Returns what is known of one entity of a transfer config.",
	"ListTransferResources": "Lists the entities of a transfer config.",

	"ListLocations": "Lists the locations that names may carry.",
	"GetLocation":   "Returns a location.",
}

// Numbers of members in descriptor.proto, by which a comment finds its place.
const (
	servicesOfFile   = 6
	methodsOfService = 2
)

// commented puts the comments into f.
func commented(f *file) (*file, error) {
	f.SourceCodeInfo = &descriptorpb.SourceCodeInfo{}
	for i, s := range f.Service {
		for j, m := range s.Method {
			text, ok := comments[m.GetName()]
			if !ok {
				return nil, fmt.Errorf("%s has no comment", m.GetName())
			}
			f.SourceCodeInfo.Location = append(f.SourceCodeInfo.Location, &descriptorpb.SourceCodeInfo_Location{
				Path: []int32{servicesOfFile, int32(i), methodsOfService, int32(j)}, Span: []int32{0, 0, 0},
				LeadingComments: proto.String(" " + text + "\n"),
			})
		}
	}
	return f, nil
}
