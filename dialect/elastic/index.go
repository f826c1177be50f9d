package elastic

import (
	"fmt"
	"strings"

	"github.com/synclinehq/syncline"
)

// indexes is the dialect under whose names the indexes are kept that connectors write to:
// two servers cannot give one index to two connectors.
const indexes = Name + ".index"

// managedPrefix begins the index of a connector that is not an outside worker's.
const managedPrefix = "content-"

// indexOf is the index that a connector takes from others; one that was deleted softly
// takes none.
func indexOf(doc map[string]any) string {
	if doc["deleted"] == true {
		return ""
	}
	name, _ := doc["index_name"].(string)
	return name
}

// claimIndex takes the index of the changed document and lets go of the one before.
func claimIndex(tx syncline.Tx, before, after *connector) error {
	was, is := indexOf(before.doc), indexOf(after.doc)
	if was == is {
		return nil
	}
	if was != "" {
		if err := tx.DeleteName(indexes, was); err != nil && syncline.CodeOf(err) != syncline.NotFound {
			return err
		}
	}
	if is == "" {
		return nil
	}
	if !storable(is) {
		return illegal("Invalid index name [%s]", is)
	}
	err := tx.PutName(indexes, is, after.p.ID)
	if syncline.CodeOf(err) == syncline.AlreadyExists {
		return indexTaken(is)
	}
	return err
}

func managed(index string) bool { return strings.HasPrefix(index, managedPrefix) }

func indexTaken(name string) error {
	return rule("Index name [%s] is used by another connector.", name)
}

// illegalIndex says what is wrong with an index's name, as Elasticsearch does; "": nothing.
func illegalIndex(name string) string {
	if why := indexFault(name); why != "" {
		return fmt.Sprintf("[%[1]s] org.elasticsearch.indices.InvalidIndexNameException: Invalid index name [%[1]s], %[2]s", name, why)
	}
	return ""
}

func indexFault(name string) string {
	switch {
	case name == "":
		return "must not be empty"
	case strings.ContainsAny(name, "\\/*?\"<>| ,\x00"):
		return `must not contain the following characters ['\\','/','*','?','"','<','>','|',' ',',']`
	case strings.Contains(name, "#"):
		return "must not contain '#'"
	case strings.Contains(name, ":"):
		return "must not contain ':'"
	case strings.ContainsAny(name[:1], "_-+"):
		return "must not start with '_', '-', or '+'"
	case len(name) > 255:
		return fmt.Sprintf("index name is too long, (%d > 255)", len(name))
	case name == "." || name == "..":
		return "must not be '.' or '..'"
	}
	return ""
}
