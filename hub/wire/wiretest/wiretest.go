// Package wiretest holds recorded lines of the live protocol against the AsyncAPI document. Tests only.
package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"doorbell/hub/wire"
)

// schemas compiles the document's schemas once, by message name.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	var doc any
	if err := yaml.Unmarshal(wire.Document(), &doc); err != nil {
		return nil, err
	}
	j, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("doorbell:live", tree); err != nil {
		return nil, err
	}
	out := map[string]*jsonschema.Schema{}
	names, _ := doc.(map[string]any)["components"].(map[string]any)["messages"].(map[string]any)
	for name := range names {
		if out[name], err = c.Compile("doorbell:live#/components/schemas/" + name); err != nil {
			return nil, err
		}
	}
	return out, nil
})

// Messages lists the document's messages.
func Messages(t testing.TB) []string {
	t.Helper()
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for n := range all {
		names = append(names, n)
	}
	return names
}

// Validate holds one line, of either side, against the document.
func Validate(line []byte) error {
	all, err := schemas()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return err
	}
	o, _ := v.(map[string]any)
	name, _ := o["op"].(string)
	if _, board := o["orders"]; board {
		name = "board"
	}
	s := all[name]
	if s == nil {
		return fmt.Errorf("the document has no message %q", name)
	}
	return s.Validate(v)
}

// Check fails the test for every line of a message that the document does not allow.
func Check(t testing.TB, message []byte) {
	t.Helper()
	for line := range strings.Lines(string(message)) {
		if err := Validate([]byte(line)); err != nil {
			t.Errorf("asyncapi.yaml does not allow this: %v\n%s", err, line)
		}
	}
}
