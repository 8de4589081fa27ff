package api_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"doorbell/orders"
	"doorbell/web/api"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := api.Load()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestGenerated fails when somebody changed openapi.yaml, or the generator, and did not run go generate ./web/api.
func TestGenerated(t *testing.T) {
	source := read(t, "../../openapi.yaml")
	if !bytes.Equal(source, api.Document()) {
		t.Error("openapi.yaml is not the repository's: run go generate ./web/api")
	}
	out := filepath.Join(t.TempDir(), "api.gen.go")
	cmd := exec.CommandContext(t.Context(), "go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "-o", out, "../../openapi.yaml")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, msg)
	}
	if !bytes.Equal(read(t, out), read(t, "api.gen.go")) {
		t.Error("api.gen.go is not what openapi.yaml gives: run go generate ./web/api")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestContract holds what contract.md fixes.
func TestContract(t *testing.T) {
	doc := load(t)
	if doc.OpenAPI != "3.0.3" || doc.Info.Title != "外卖实时API系统" || doc.Info.Version != "1.0.0" {
		t.Errorf("got %s %q %s", doc.OpenAPI, doc.Info.Title, doc.Info.Version)
	}
	create := doc.Paths.Value("/orders").Post
	if create.OperationID != "createOrder" {
		t.Errorf("POST /orders is %s", create.OperationID)
	}
	body := create.RequestBody.Value.Content["application/json"].Schema
	if body.Ref != "#/components/schemas/OrderRequest" {
		t.Errorf("createOrder takes %s", body.Ref)
	}
	if ref := create.Responses.Value("201").Value.Content["application/json"].Schema.Ref; ref != "#/components/schemas/OrderResponse" {
		t.Errorf("createOrder answers %s", ref)
	}
	same(t, "OrderRequest", body.Value.Required, []string{"restaurantId", "items", "address", "paymentMethod"})
	update := doc.Components.Schemas["OrderStatusUpdate"].Value
	same(t, "OrderStatusUpdate", update.Required, []string{"orderId", "status", "timestamp"})
	for name, typ := range map[string]string{"orderId": "string", "status": "string", "timestamp": "string", "estimatedTime": "integer"} {
		if p := update.Properties[name]; p == nil || !p.Value.Type.Is(typ) {
			t.Errorf("OrderStatusUpdate.%s is no %s", name, typ)
		}
	}
	for name, want := range map[string]struct{ key, schema string }{
		"onOrderConfirmed": {"{$request.body#/notificationUrl}/order-status", "OrderStatusUpdate"},
		"onStatusChange":   {"{$request.body#/notificationUrl}", "Event"},
	} {
		item := create.Callbacks[name].Value.Value(want.key)
		if item == nil || item.Post == nil {
			t.Errorf("%s has no POST at %s", name, want.key)
			continue
		}
		if ref := item.Post.RequestBody.Value.Content["application/json"].Schema.Ref; ref != "#/components/schemas/"+want.schema {
			t.Errorf("%s sends %s", name, ref)
		}
		if item.Post.Responses.Value("202") == nil {
			t.Errorf("%s knows no 202", name)
		}
	}
}

// TestWords holds each list of words in the document against the constants of the domain.
func TestWords(t *testing.T) {
	schemas, words := load(t).Components.Schemas, constants(t)
	for schema, typ := range map[string]string{
		"OrderStatus": "Status", "PaymentStatus": "PaymentStatus", "PaymentMethod": "PaymentMethod",
		"DeliveryStatus": "DeliveryStatus", "AmendmentStatus": "AmendmentStatus", "RequestStatus": "RequestStatus",
		"SoldOutPolicy": "SoldOutPolicy", "Deliver": "Deliver", "Proof": "Proof", "Disposition": "Disposition",
		"Stop": "Stop", "Change": "Change", "Reason": "Reason", "EventType": "EventType", "Kind": "Kind",
	} {
		same(t, schema, enum(schemas[schema].Value), words[typ])
	}
	acting := slices.DeleteFunc(words["Role"], func(r string) bool { return r == string(orders.RoleTracker) })
	same(t, "ActorRole", enum(schemas["ActorRole"].Value), acting)
	same(t, "Code", enum(schemas["Code"].Value), words["Code"])
}

// constants are the string constants of package orders by their type, and those named Code… under Code.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../orders/*.go")
	if err != nil || files == nil {
		t.Fatal("no package orders: ", err)
	}
	out := map[string][]string{}
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			s, ok := n.(*ast.ValueSpec)
			if !ok || len(s.Values) != 1 {
				return true
			}
			lit, ok := s.Values[0].(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			word, _ := strconv.Unquote(lit.Value)
			if typ, ok := s.Type.(*ast.Ident); ok {
				out[typ.Name] = append(out[typ.Name], word)
			} else if strings.HasPrefix(s.Names[0].Name, "Code") {
				out["Code"] = append(out["Code"], word)
			}
			return true
		})
	}
	return out
}

func enum(s *openapi3.Schema) []string {
	var out []string
	for _, v := range s.Enum {
		out = append(out, v.(string))
	}
	return out
}

// same compares two sets.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// TestClosed: a body with a field that nobody described is refused, whichever way it goes.
func TestClosed(t *testing.T) {
	for name, s := range load(t).Components.Schemas {
		if has := s.Value.AdditionalProperties.Has; s.Value.Type.Is("object") && (has == nil || *has) {
			t.Errorf("%s takes unknown fields", name)
		}
	}
}
