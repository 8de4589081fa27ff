package web

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"doorbell/orders"
)

func TestStrictJSON(t *testing.T) {
	t.Run("takes what encoding/json takes", func(t *testing.T) {
		for _, s := range []string{`{}`, ` {"a":[1,2.5,true,null,"x"],"b":{"c":"\u0041"}} `, `[]`, `"s"`, `0`} {
			got, err := decodeStrict([]byte(s))
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			var want any
			if err := json.Unmarshal([]byte(s), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %#v, want %#v", s, got, want)
			}
		}
	})
	for name, c := range map[string]struct{ body, pointer string }{
		"nothing":               {``, ``},
		"half an object":        {`{"a":1`, ``},
		"two values":            {`{} {}`, ``},
		"a key named twice":     {`{"a":{"b":1,"b":2}}`, `/a/b`},
		"a key twice, escaped":  {`{"a":1,"\u0061":2}`, `/a`},
		"bytes that are no UTF": {"{\"a\":\"\xff\"}", ``},
		"a NUL":                 {`{"a":["x","\u0000"]}`, `/a/1`},
		"deep arrays":           {strings.Repeat(`[`, 30_000), strings.Repeat("/0", maxDepth+1)},
		"deep objects":          {strings.Repeat(`{"a":`, 5_000), strings.Repeat("/a", maxDepth+1)},
		"a pointer with slash":  {`{"a/b~c":1,"a/b~c":1}`, `/a~1b~0c`},
		"not JSON":              {`{'a':1}`, ``},
		"a number out of range": {`{"a":1e999}`, `/a`},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := decodeStrict([]byte(c.body))
			if orders.KindOf(err) != orders.Invalid {
				t.Fatalf("%v", err)
			}
			if e := err.(*orders.Error); e.Fields[0].Pointer != c.pointer {
				t.Errorf("points at %q, want %q", e.Fields[0].Pointer, c.pointer)
			}
		})
	}
}

func FuzzStrictJSON(f *testing.F) {
	f.Add([]byte(`{"restaurantId":"r","items":[{"itemId":"a","quantity":1}]}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := decodeStrict(body)
		if err != nil {
			return
		}
		var want any // what passes must mean the same to encoding/json
		if err := json.Unmarshal(body, &want); err != nil || !reflect.DeepEqual(v, want) {
			t.Errorf("%q: %#v, encoding/json says %#v %v", body, v, want, err)
		}
	})
}
