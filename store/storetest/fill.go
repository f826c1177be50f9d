package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// filled makes a T in which every field that is stored has a value of its own, so that a
// new field is covered the day it is added.
func filled[T any](t testing.TB) *T {
	t.Helper()
	v := new(T)
	n := 0
	fill(t, reflect.ValueOf(v).Elem(), &n)
	return v
}

func fill(t testing.TB, v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(day.Add(time.Duration(*n) * time.Microsecond)))
		return
	case json.RawMessage:
		v.SetBytes(fmt.Appendf(nil, `{"n":%d,"Ω":[1.50,null]}`, *n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s-%d-ü'\"\\", v.Type().Name(), *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Struct:
		fillStruct(t, v, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), n)
		}
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Map:
		fillMap(t, v, n)
	default:
		t.Fatalf("fill: no value for %s", v.Type())
	}
}

func fillStruct(t testing.TB, v reflect.Value, n *int) {
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
			fill(t, v.Field(i), n)
		}
	}
}

func fillMap(t testing.TB, v reflect.Value, n *int) {
	v.Set(reflect.MakeMap(v.Type()))
	for range 2 {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.SetMapIndex(key, value)
	}
}
