package source

import (
	"cmp"
	"errors"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/spec"
)

// SettingError makes of an error of a spec one that people see: where the spec has no next
// step, the setting's own help is it.
func SettingError(s spec.Spec, err error) error {
	wrong, ok := errors.AsType[*spec.Error](err)
	if !ok {
		return err
	}
	f, _ := s.Field(wrong.Field)
	return syncline.Invalid(wrong.Field, "%w", err).Try("%s", cmp.Or(wrong.Hint, f.Help))
}
