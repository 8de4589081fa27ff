// Package api is the REST API as openapi.yaml describes it: the Go types of its bodies, the interface a server fills in,
// and the document itself.
//
// The source is openapi.yaml at the repository's top. go generate copies it here, since go:embed does not reach above
// its own folder, and makes api.gen.go from it; a test fails when either is older than its source. Who may call an
// operation stands in the document under x-roles, not in this package.
//
// Optional objects and whatever must tell absent from zero are pointers, other optional fields are left out when zero.
// Required lists must not be nil: nil would be written as null, which the document does not allow.
package api

//go:generate cp ../../openapi.yaml openapi.yaml
//go:generate go tool oapi-codegen -config oapi-codegen.yaml -o api.gen.go openapi.yaml
