package transfer

import "encoding/json"

// mark is what is published as a stream's mark: the source's own mark with the cursor it
// was made for. After the pipeline changed its cursor the old mark means nothing.
type mark struct {
	Cursor string `json:"cursor,omitempty"`
	Until  []byte `json:"until"`
}

// seal is nil when there is no mark.
func seal(cursor string, until []byte) []byte {
	if until == nil {
		return nil
	}
	sealed, err := json.Marshal(mark{cursor, until})
	if err != nil {
		panic("transfer: a mark of strings and bytes cannot be written: " + err.Error())
	}
	return sealed
}

// unseal is nil when the mark is missing, of another cursor, or not ours.
func unseal(cursor string, sealed []byte) []byte {
	var m mark
	if json.Unmarshal(sealed, &m) != nil || m.Cursor != cursor {
		return nil
	}
	return m.Until
}
