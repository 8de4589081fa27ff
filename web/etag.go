package web

import (
	"strconv"
	"strings"

	"doorbell/orders"
)

// etag is the entity tag of a version (RFC 9110 section 8.8.3): an order's seq, a restaurant's version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// tags is a parsed If-Match or If-None-Match. The zero value means the header was absent.
type tags struct {
	any  bool // "*"
	list []entityTag
}

type entityTag struct {
	weak  bool
	value string // between the quotes
}

// maxTags is how many entity tags a header may list.
const maxTags = 32

// parseTags reads the values of an If-Match or If-None-Match header (RFC 9110 section 13.1). Errors: Invalid, naming
// the header.
func parseTags(header string, values []string) (tags, error) {
	var t tags
	if len(values) == 0 {
		return t, nil
	}
	s := strings.Join(values, ",")
	if strings.Trim(s, " \t") == "*" {
		return tags{any: true}, nil
	}
	for s = trimList(s); s != ""; s = trimList(s) {
		var e entityTag
		s, e.weak = strings.CutPrefix(s, "W/")
		end := -1
		if strings.HasPrefix(s, `"`) {
			end = strings.IndexByte(s[1:], '"')
		}
		if end < 0 || strings.ContainsFunc(s[1:1+end], notInTag) || len(t.list) == maxTags {
			return tags{}, badHeader(header, `must be a list of entity tags such as "5"`)
		}
		e.value, s = s[1:1+end], s[2+end:]
		if s = strings.TrimLeft(s, " \t"); s != "" && s[0] != ',' {
			return tags{}, badHeader(header, "entity tags are separated by commas")
		}
		t.list = append(t.list, e)
	}
	if t.list == nil { // a client that lost its tag must not write as if it had asked for nothing
		return t, badHeader(header, "names no entity tag")
	}
	return t, nil
}

func trimList(s string) string { return strings.TrimLeft(s, ", \t") }

func notInTag(r rune) bool { return r < 0x21 || r == 0x7f || r == '"' }

// String is t as a header's value, the way parseTags reads it back.
func (t tags) String() string {
	if t.any {
		return "*"
	}
	out := make([]string, len(t.list))
	for i, e := range t.list {
		out[i] = `"` + e.value + `"`
		if e.weak {
			out[i] = "W/" + out[i]
		}
	}
	return strings.Join(out, ", ")
}

func (t tags) absent() bool { return !t.any && t.list == nil }

// has compares weakly, as If-None-Match does.
func (t tags) has(version int64) bool {
	v := strconv.FormatInt(version, 10)
	for _, e := range t.list {
		if e.value == v {
			return true
		}
	}
	return t.any
}

// match is the If-Match condition, which compares strongly; nil when the header was absent.
func (t tags) match() func(version int64) bool {
	if t.absent() {
		return nil
	}
	return func(version int64) bool {
		if t.any {
			return version > 0
		}
		v := strconv.FormatInt(version, 10)
		for _, e := range t.list {
			if !e.weak && e.value == v {
				return true
			}
		}
		return false
	}
}

// badHeader is an Invalid error about one header or parameter.
func badHeader(name, why string) error {
	e := orders.Errorf(orders.Invalid, "%s: %s", name, why)
	e.Fields = []orders.FieldError{{Pointer: name, Detail: why}}
	return e
}
