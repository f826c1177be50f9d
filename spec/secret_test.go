package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/spec"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	type holder struct {
		Open   spec.Secret
		hidden spec.Secret
		list   []spec.Secret
	}
	rapid.Check(t, func(t *rapid.T) {
		value := "canary" + rapid.String().Draw(t, "value")
		s := spec.NewSecret(value)
		h := holder{s, s, []spec.Secret{s}}
		var out bytes.Buffer
		verb := rapid.SampledFrom(strings.Split("vsqxXdTpbceEfFgGUtow", "")).Draw(t, "verb")
		flags := rapid.SampledFrom([]string{"", "+", "#", "-20", "020.3", " "}).Draw(t, "flags")
		for _, v := range []any{s, &s, h, &h, []any{s}, map[string]any{"a": s}, fmt.Errorf("x: %v", s)} {
			fmt.Fprintf(&out, "%"+flags+verb+"\n", v)
			fmt.Fprintln(&out, v)
		}
		for _, log := range []*slog.Logger{slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&out, nil))} {
			log.Info("x", "s", s, "h", h, "p", &h)
		}
		doc, err := json.Marshal(map[string]any{"s": s, "h": h})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(doc)
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		if strings.Contains(out.String(), "canary") || strings.Contains(out.String(), "63616e617279") {
			t.Fatal(out.String())
		}
		if !strings.Contains(out.String(), spec.Redacted) || s.Reveal() != value {
			t.Fatal("says nothing at all")
		}
	})
}

func TestSecretReads(t *testing.T) {
	t.Parallel()
	var s spec.Secret
	if !s.Empty() || s.Reveal() != "" || !spec.NewSecret("").Empty() {
		t.Error("the zero secret is not empty")
	}
	if err := json.Unmarshal([]byte(`"a\"b"`), &s); err != nil || s.Reveal() != `a"b` || s.Empty() {
		t.Error(err, s.Reveal())
	}
	if err := s.UnmarshalText([]byte("pw")); err != nil || s.Reveal() != "pw" {
		t.Error(err, s.Reveal())
	}
	if err := json.Unmarshal([]byte(`{"a":"canary"}`), &s); err == nil || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}

func TestMapSecrets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.String().Draw(t, "password")
		given := map[string]any{"password": password, "host": rapid.String().Draw(t, "host"), "port": 1, "tables": []string{"<a>"}}
		before, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := kind.MapSecrets(before, func(field, value string) (string, error) {
			return "sealed:" + field + value, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var holds map[string]any
		if json.Unmarshal(sealed, &holds) != nil || holds["password"] != "sealed:password"+password {
			t.Fatalf("got %s", sealed)
		}
		opened, err := kind.MapSecrets(sealed, func(field, value string) (string, error) {
			return strings.TrimPrefix(value, "sealed:"+field), nil
		})
		var was, is any
		if err != nil || json.Unmarshal(before, &was) != nil || json.Unmarshal(opened, &is) != nil || !reflect.DeepEqual(was, is) {
			t.Fatalf("got %s, want %s, %v", opened, before, err)
		}
		again, err := kind.MapSecrets(opened, func(_, value string) (string, error) { return value, nil })
		if err != nil || !bytes.Equal(again, opened) {
			t.Fatalf("not stable: %s, then %s", opened, again)
		}
	})
	if got := kind.Secrets(); !reflect.DeepEqual(got, []string{"password"}) {
		t.Errorf("got %v", got)
	}
	boom := errors.New("boom")
	if _, err := kind.MapSecrets(json.RawMessage(`{"password":"x"}`), func(_, _ string) (string, error) { return "", boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}

func TestMapTexts(t *testing.T) {
	t.Parallel()
	upper := func(_, value string) (string, error) { return strings.ToUpper(value), nil }
	got, err := kind.MapTexts(json.RawMessage(`{"tables":["a"],"options":{"k":"v"},"host":"h","port":1,"tls":null}`), upper)
	want := `{"host":"H","options":{"k":"V"},"port":1,"tables":["A"],"tls":null}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}
