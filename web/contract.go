package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-chi/chi/v5"

	"doorbell/orders"
	"doorbell/web/api"
)

// contract is what openapi.yaml says of one operation, read once at the start.
type contract struct {
	id       string
	roles    []orders.Role // who may call it (x-roles)
	public   bool          // no token needed
	ofOrder  bool          // the path names an order
	courier  bool          // the path names a courier
	door     bool          // for a device's token, in the way of a rider app
	located  bool          // takes positions (x-positions): a body up to riderapp.MaxBody, which its handler reads
	params   []*openapi3.Parameter
	body     *openapi3.Schema // nil: takes none
	needBody bool
}

// contracts are the document's operations by method and path, read once: checking the document takes longer than
// anything else at the start.
var contracts = sync.OnceValues(loadContracts)

func loadContracts() (map[string]*contract, error) {
	doc, err := api.Load()
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	out := map[string]*contract{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			c := &contract{
				id: op.OperationID, ofOrder: strings.HasPrefix(path, "/orders/{"), courier: strings.HasPrefix(path, "/couriers/{"),
				located: op.Extensions["x-positions"] == true,
			}
			if err := c.readRoles(op); err != nil {
				return nil, fmt.Errorf("openapi.yaml: %s %s: %w", method, path, err)
			}
			if c.door {
				out[method+" "+path] = c
				continue
			}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				c.params = append(c.params, p.Value)
			}
			if b := op.RequestBody; b != nil {
				media := b.Value.Content.Get("application/json")
				if media == nil {
					return nil, fmt.Errorf("openapi.yaml: %s %s: the body is not JSON", method, path)
				}
				c.body, c.needBody = media.Schema.Value, b.Value.Required
			}
			out[method+" "+path] = c
		}
	}
	return out, nil
}

// roleDevice is how the document names a courier's device, which is nobody to the domain.
const roleDevice orders.Role = "device"

func (c *contract) readRoles(op *openapi3.Operation) error {
	if list, ok := op.Extensions["x-roles"].([]any); ok && len(list) == 1 && list[0] == string(roleDevice) {
		c.door = true
		return nil
	}
	if op.Security != nil && len(*op.Security) == 0 {
		c.public = true
		return nil
	}
	raw, err := json.Marshal(op.Extensions["x-roles"])
	if err == nil {
		err = json.Unmarshal(raw, &c.roles)
	}
	if err != nil || len(c.roles) == 0 {
		return fmt.Errorf("x-roles is missing or is no list of roles (%v)", err)
	}
	return nil
}

// checkParams holds the query, the headers and the path of a request against the document. Unknown query parameters are
// refused, as unknown fields are, and so is a query that cannot be read: what is passed over would answer another
// question than was asked.
func (c *contract) checkParams(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return orders.Errorf(orders.Invalid, "the query cannot be read")
	}
	for name, values := range query {
		p := c.param(openapi3.ParameterInQuery, name)
		if p == nil {
			return badHeader(name, "no such parameter")
		}
		if len(values) > 1 {
			return badHeader(name, "given twice")
		}
		if err := checkText(p, values[0]); err != nil {
			return err
		}
	}
	for _, p := range c.params {
		if p.In == openapi3.ParameterInPath {
			if err := checkPath(p, r); err != nil {
				return err
			}
		}
		if p.In != openapi3.ParameterInHeader {
			continue
		}
		if v := r.Header.Get(p.Name); v != "" {
			if err := checkText(p, v); err != nil {
				return err
			}
		} else if _, ok := r.Header[http.CanonicalHeaderKey(p.Name)]; ok && p.Name == "Idempotency-Key" {
			return badHeader(p.Name, "is empty")
		}
	}
	return nil
}

// checkPath holds a number in the path, an id that a PUT would make, and that of a courier, who is not looked up, against
// the document. Elsewhere an id of no known form is simply unknown.
func checkPath(p *openapi3.Parameter, r *http.Request) error {
	if r.Method != http.MethodPut && !p.Schema.Value.Type.Is(openapi3.TypeInteger) && p.Name != "courierId" {
		return nil
	}
	text := chi.URLParam(r, p.Name)
	if r.URL.RawPath != "" { // the router matched the encoded path
		var err error
		if text, err = url.PathUnescape(text); err != nil {
			return badHeader(p.Name, "has the wrong form")
		}
	}
	return checkText(p, text)
}

func (c *contract) param(in, name string) *openapi3.Parameter {
	for _, p := range c.params {
		if p.In == in && p.Name == name {
			return p
		}
	}
	return nil
}

// checkText holds a parameter's text against its schema.
func checkText(p *openapi3.Parameter, text string) error {
	var v any = text
	if p.Schema.Value.Type.Is(openapi3.TypeInteger) {
		var n json.Number
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			return badHeader(p.Name, "must be a whole number")
		}
		f, err := n.Float64()
		if _, whole := n.Int64(); err != nil || whole != nil {
			return badHeader(p.Name, "must be a whole number")
		}
		v = f
	}
	if err := p.Schema.Value.VisitJSON(v); err != nil {
		return badHeader(p.Name, schemaReason(err))
	}
	return nil
}

// checkBody holds a decoded body against the document. Errors: Invalid with a pointer to each wrong field.
func (c *contract) checkBody(v any) error {
	err := c.body.VisitJSON(v, openapi3.MultiErrors(), openapi3.VisitAsRequest())
	if err == nil {
		return nil
	}
	e := orders.Errorf(orders.Invalid, "the body is not as the document says")
	collect(err, &e.Fields)
	return e
}

// maxFieldErrors is how many wrong fields one answer names.
const maxFieldErrors = 20

// collect flattens the validator's errors into fields.
func collect(err error, into *[]orders.FieldError) {
	switch err := err.(type) {
	case openapi3.MultiError:
		for _, e := range err {
			collect(e, into)
		}
	case *openapi3.SchemaError:
		var at strings.Builder
		for _, k := range err.JSONPointer() {
			at.WriteString("/" + escapePointer(k))
		}
		if object, ok := err.Value.(map[string]any); ok && err.SchemaField == "properties" { // points at the object itself
			for _, name := range slices.Sorted(maps.Keys(object)) {
				if err.Schema.Properties[name] == nil {
					addField(into, at.String()+"/"+escapePointer(name), "no such field")
				}
			}
			return
		}
		addField(into, at.String(), err.Reason)
	default:
		addField(into, "", "does not fit")
	}
}

// addField names a wrong field once, with the first thing that is wrong with it.
func addField(into *[]orders.FieldError, pointer, why string) {
	named := slices.ContainsFunc(*into, func(f orders.FieldError) bool { return f.Pointer == pointer })
	if !named && len(*into) < maxFieldErrors {
		*into = append(*into, orders.FieldError{Pointer: pointer, Detail: why})
	}
}

func schemaReason(err error) string {
	var f []orders.FieldError
	collect(err, &f)
	if len(f) == 0 {
		return "does not fit"
	}
	return f[0].Detail
}
