package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"doorbell/orders"
)

// maxDepth is how deep a body may nest; the deepest we know has 4 levels.
const maxDepth = 16

// decodeStrict reads one JSON value as encoding/json would into an any, but refuses what that lets pass: bytes that
// are not UTF-8, a key named twice, a NUL in a string, deep nesting, and anything behind the value. Errors are Invalid
// and point at the place.
func decodeStrict(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, badJSON("", "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	v, err := strictValue(d, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badJSON("", "something follows the JSON value")
	}
	return v, nil
}

func strictValue(d *json.Decoder, at string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, badJSON(at, "nested deeper than "+strconv.Itoa(maxDepth)+" levels")
	}
	tok, err := d.Token()
	if err != nil {
		return nil, syntaxError(at, err)
	}
	switch tok {
	case json.Delim('{'):
		return strictObject(d, at, depth)
	case json.Delim('['):
		return strictArray(d, at, depth)
	}
	if s, ok := tok.(string); ok && strings.ContainsRune(s, 0) {
		return nil, badJSON(at, "holds a NUL character")
	}
	return tok, nil
}

func strictObject(d *json.Decoder, at string, depth int) (any, error) {
	out := map[string]any{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, syntaxError(at, err)
		}
		key := tok.(string) // the decoder lets nothing else stand here
		here := at + "/" + escapePointer(key)
		if _, twice := out[key]; twice {
			return nil, badJSON(here, "named twice")
		}
		if out[key], err = strictValue(d, here, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return out, syntaxError(at, err)
}

func strictArray(d *json.Decoder, at string, depth int) (any, error) {
	out := []any{}
	for d.More() {
		v, err := strictValue(d, at+"/"+strconv.Itoa(len(out)), depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.Token()
	return out, syntaxError(at, err)
}

func syntaxError(at string, err error) error {
	if err == nil {
		return nil
	}
	return badJSON(at, "the body is not valid JSON")
}

func badJSON(pointer, why string) error {
	e := orders.Errorf(orders.Invalid, "%s", why)
	e.Fields = []orders.FieldError{{Pointer: pointer, Detail: why}}
	return e
}

// pointerAt is the JSON pointer of the value that ends at this offset of a body which decodeStrict has passed.
func pointerAt(body []byte, offset int64) string {
	at, _ := findOffset(json.NewDecoder(bytes.NewReader(body)), "", offset)
	return at
}

func findOffset(d *json.Decoder, at string, offset int64) (found string, ok bool) {
	tok, err := d.Token()
	open, _ := tok.(json.Delim)
	if err != nil || open == 0 {
		return at, err != nil || d.InputOffset() >= offset
	}
	for i := 0; d.More(); i++ {
		here := at + "/" + strconv.Itoa(i)
		if open == '{' {
			key, _ := d.Token()
			here = at + "/" + escapePointer(key.(string))
		}
		if found, ok := findOffset(d, here, offset); ok {
			return found, true
		}
	}
	_, _ = d.Token() // the end of the list or object
	return at, d.InputOffset() >= offset
}

// escapePointer writes a key as a part of a JSON pointer (RFC 6901 section 3).
func escapePointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// topLevel is the fields of a body that is a JSON object, each as it was written. What is inside them is only known to be
// JSON. Errors are those of decodeStrict.
func topLevel(body []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(body) {
		return nil, badJSON("", "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	tok, err := d.Token()
	if err != nil {
		return nil, syntaxError("", err)
	}
	if tok != json.Delim('{') {
		return nil, badJSON("", "the body is not a JSON object")
	}
	out := make(map[string]json.RawMessage, 2)
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, syntaxError("", err)
		}
		key := tok.(string) // the decoder lets nothing else stand here
		here := "/" + escapePointer(key)
		if _, twice := out[key]; twice {
			return nil, badJSON(here, "named twice")
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, syntaxError(here, err)
		}
		out[key] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, syntaxError("", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badJSON("", "something follows the JSON value")
	}
	return out, nil
}
