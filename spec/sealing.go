package spec

import "encoding/json"

// Secrets names the settings that hold a secret.
func (s Spec) Secrets() []string {
	var names []string
	for _, f := range s.Fields {
		if f.Type == Password {
			names = append(names, f.Name)
		}
	}
	return names
}

// MapSecrets replaces the value of every secret that settings hold by what fn makes of it:
// sealed, opened, masked. Everything else stays; keys come in the order of their names.
func (s Spec) MapSecrets(settings json.RawMessage, fn func(field, value string) (string, error)) (json.RawMessage, error) {
	return s.mapTexts(settings, func(f Field, value string) (string, error) {
		if f.Type != Password {
			return value, nil
		}
		return fn(f.Name, value)
	})
}

// MapTexts does the same for every text in settings, secret or not, also those inside
// lists and objects.
func (s Spec) MapTexts(settings json.RawMessage, fn func(field, value string) (string, error)) (json.RawMessage, error) {
	return s.mapTexts(settings, func(f Field, value string) (string, error) { return fn(f.Name, value) })
}

func (s Spec) mapTexts(settings json.RawMessage, fn func(Field, string) (string, error)) (json.RawMessage, error) {
	members, err := s.object(settings)
	if err != nil {
		return nil, err
	}
	for name, raw := range members {
		f, _ := s.Field(name)
		if members[name], err = f.mapTexts(raw, fn); err != nil {
			return nil, err
		}
	}
	return sortedJSON(members), nil
}

// mapTexts keeps what is not of the field's type as it is, such as lists within lists:
// finding that out is Check's.
func (f Field) mapTexts(raw json.RawMessage, fn func(Field, string) (string, error)) (json.RawMessage, error) {
	if text, err := f.mapText(raw, fn); text != nil || err != nil {
		return text, err
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && list != nil {
		for i := range list {
			if err := f.mapItem(&list[i], fn); err != nil {
				return nil, err
			}
		}
		return json.Marshal(list)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) == nil && members != nil {
		for name, item := range members {
			if err := f.mapItem(&item, fn); err != nil {
				return nil, err
			}
			members[name] = item
		}
		return sortedJSON(members), nil
	}
	return raw, nil
}

func (f Field) mapItem(item *json.RawMessage, fn func(Field, string) (string, error)) error {
	text, err := f.mapText(*item, fn)
	if text != nil {
		*item = text
	}
	return err
}

// mapText is nil when raw is no text.
func (f Field) mapText(raw json.RawMessage, fn func(Field, string) (string, error)) (json.RawMessage, error) {
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return nil, nil
	}
	mapped, err := fn(f, *text)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(quote(mapped)), nil
}
