package api

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed openapi.yaml
var document []byte

// Document is openapi.yaml, as served at /openapi.yaml. The caller owns what is returned.
func Document() []byte { return bytes.Clone(document) }

// Load parses the document and checks it against OpenAPI 3.0. It does so anew at each call, which takes some
// milliseconds: keep what it returns.
func Load() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("read the API document: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the API document: %w", err)
	}
	return doc, nil
}
