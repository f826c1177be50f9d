package gapi

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/synclinehq/syncline"
)

// fieldsHeader asks for a part of the answer as the parameter "fields" does.
const fieldsHeader = "X-Goog-FieldMask"

// system are the parameters that every method takes
// (https://cloud.google.com/apis/docs/system-parameters). All but "upload…" may be
// written with a dollar before them.
var system = map[string]bool{
	"alt": true, "prettyPrint": true, "fields": true, "callback": true,
	"key": true, "access_token": true, "oauth_token": true, "quotaUser": true, "userIp": true,
	"uploadType": true, "upload_protocol": true, ".xgafv": true,
}

// split tells the system's parameters from those of messages.
func (p parameters) split() (ofSystem, ofMessages parameters) {
	for _, one := range p {
		name, dollar := strings.CutPrefix(one.name, "$")
		if system[name] && (dollar || name != ".xgafv") {
			ofSystem = append(ofSystem, parameter{name, one.value})
		} else {
			ofMessages = append(ofMessages, one)
		}
	}
	return ofSystem, ofMessages
}

// get is the first of that name that says something.
func (p parameters) get(name string) string {
	for _, one := range p {
		if one.name == name && one.value != "" {
			return one.value
		}
	}
	return ""
}

// wish is how a caller wants the answer drawn.
type wish struct {
	plain   bool       // without line breaks
	numbers bool       // enums as numbers
	fields  *selection // nil: all
}

func (in *incoming) wish(r *http.Request, out protoreflect.MessageDescriptor) (wish, error) {
	w := wish{plain: plainText(in.system.get("prettyPrint"))}
	if in.system.get("callback") != "" {
		return w, syncline.Errorf(syncline.InvalidArgument, "the parameter callback is not served: answers are JSON, not scripts")
	}
	var err error
	if w.numbers, err = readAlt(in.system.get("alt")); err != nil {
		return w, err
	}
	asked := in.system.get("fields")
	if asked == "" {
		asked = r.Header.Get(fieldsHeader)
	}
	w.fields, err = parseFields(asked, out)
	return w, err
}

// readAlt reads how the answer is to be encoded: JSON, perhaps with enums as numbers.
func readAlt(alt string) (numbers bool, err error) {
	kind, option, more := strings.Cut(alt, ";")
	if alt == "" || kind == "json" && (!more || option == "enum-encoding=int") {
		return more, nil
	}
	return false, syncline.Errorf(syncline.InvalidArgument, "the parameter alt does not take %q: answers are JSON", clip(alt)).
		Try("leave it out, or send alt=json")
}

func plainText(pretty string) bool { return pretty == "false" || pretty == "0" }

// plainWanted is for answers to requests that cannot be read any further.
func plainWanted(r *http.Request) bool {
	all, _ := parseQuery(r.URL.RawQuery)
	of, _ := all.split()
	return plainText(of.get("prettyPrint"))
}
