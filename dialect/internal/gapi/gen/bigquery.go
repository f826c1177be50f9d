package main

// bigquery is the document of the one BigQuery method that bq asks for beside the API of
// transfers: it looks up where a dataset is
// (https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets/get).
func bigquery() *document {
	d := newDocument("bigquery", "v2", "bigquery/v2/")
	d.CanonicalName, d.Title = "Bigquery", "BigQuery API, as far as Syncline answers it"
	d.Description = "Says where a dataset is."
	d.DocumentationLink = "https://cloud.google.com/bigquery/docs/reference/rest"
	d.Schemas["DatasetReference"] = object("DatasetReference", "projectId", "datasetId")
	d.Schemas["Dataset"] = object("Dataset", "kind", "id", "location")
	d.Schemas["Dataset"].Properties["datasetReference"] = &schema{Ref: "DatasetReference"}
	id := func() *schema { return &schema{Type: "string", Location: "path", Required: true, Pattern: "^[^/]+$"} }
	d.Resources["datasets"] = &node{Methods: map[string]*call{"get": {
		ID: "bigquery.datasets.get", Description: "Returns the dataset.", HTTPMethod: "GET",
		Path: "projects/{+projectId}/datasets/{+datasetId}", FlatPath: "projects/{projectsId}/datasets/{datasetsId}",
		ParameterOrder: []string{"projectId", "datasetId"}, Parameters: map[string]*schema{"projectId": id(), "datasetId": id()},
		Response: &schema{Ref: "Dataset"}, Scopes: []string{scopeBigQuery, scopeCloud, scopeReadOnly},
	}}}
	return d
}

// object is a schema of texts.
func object(name string, members ...string) *schema {
	s := &schema{ID: name, Type: "object", Properties: map[string]*schema{}}
	for _, m := range members {
		s.Properties[m] = &schema{Type: "string"}
	}
	return s
}
