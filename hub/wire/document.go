package wire

import _ "embed"

//go:embed asyncapi.yaml
var document []byte

// Document is the AsyncAPI 3 document of the protocol, as it stands in the repository. It must not be changed.
func Document() []byte { return document }
