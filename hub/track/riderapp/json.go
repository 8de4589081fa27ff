package riderapp

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"doorbell/hub/track"
	"doorbell/orders"
)

// readJSON decodes a body leniently: a value of another type than expected is as good as absent, broken syntax is an
// error.
func readJSON(body []byte, into any) error {
	if err := checkSize(body); err != nil {
		return err
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	if depth(body) > MaxDepth {
		return orders.Errorf(orders.Invalid, "the body is nested more than %d deep", MaxDepth)
	}
	err := json.Unmarshal(body, into)
	var mismatch *json.UnmarshalTypeError
	if err == nil || errors.As(err, &mismatch) {
		return nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return orders.Errorf(orders.Invalid, "the body is not JSON: %v, at byte %d", syntax, syntax.Offset)
	}
	return orders.Errorf(orders.Invalid, "the body is not JSON: %v", err)
}

// byteOrderMark is what some phones put before UTF-8.
var byteOrderMark = []byte("\ufeff")

// depth is how many brackets are open at once, at most.
func depth(b []byte) int {
	deepest, open := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			open++
			deepest = max(deepest, open)
		case ']', '}':
			open--
		}
	}
	return deepest
}

// number is a JSON number, or a string that holds one. Anything else is absent; so is what no float64 can hold.
type number struct {
	v  float64
	ok bool
}

func (n *number) UnmarshalJSON(b []byte) error {
	*n = parseNumber(string(unquote(b)))
	return nil
}

// parseNumber reads a finite decimal number: none of the other forms that Go knows, NaN and hexadecimal among them.
func parseNumber(s string) number {
	if s == "" || len(s) > 64 || strings.Trim(s, "0123456789+-.eE") != "" {
		return number{}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return number{}
	}
	return number{v: v, ok: true}
}

// or is n, or what stands for an absent one.
func (n number) or(absent float64) float64 {
	if !n.ok {
		return absent
	}
	return n.v
}

// unquote is a JSON string without its quotes, where it needs no unescaping; any other value as it is.
func unquote(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}

// text is a JSON string, or a number as it was written. Anything else is "".
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	switch {
	case b[0] == '"' && plain(b):
		*t = text(b[1 : len(b)-1])
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err == nil {
			*t = text(s)
		}
	case b[0] == '-' || b[0] >= '0' && b[0] <= '9':
		*t = text(b)
	}
	return nil
}

// plain reports whether a JSON string is its own text.
func plain(b []byte) bool {
	for _, c := range b {
		if c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// truth is true for the words that apps use for it.
type truth bool

func (t *truth) UnmarshalJSON(b []byte) error {
	*t = truth(isTrue(string(unquote(b))))
	return nil
}

func isTrue(s string) bool { return s == "true" || s == "1" }

// present notices that a value was there and of the right kind: object or array.
type present[T any] struct {
	v  T
	ok bool
}

func (p *present[T]) UnmarshalJSON(b []byte) error {
	err := json.Unmarshal(b, &p.v)
	var mismatch *json.UnmarshalTypeError
	p.ok = (b[0] == '{' || b[0] == '[') && (err == nil || errors.As(err, &mismatch))
	return nil
}

// list is a JSON array. Of one that is longer than any post only the length is read: a short body can say a great many
// empty objects.
type list[T any] struct {
	v  []T
	n  int
	ok bool // it is an array
}

func (l *list[T]) UnmarshalJSON(b []byte) error {
	*l = list[T]{}
	if b[0] != '[' {
		return nil
	}
	l.ok, l.n = true, elements(b)
	if l.n <= track.MaxPoints {
		_ = json.Unmarshal(b, &l.v) // elements of another type are zero; the syntax was checked before
	}
	return nil
}

// elements is the number of elements of a JSON array.
func elements(b []byte) int {
	n, open, empty := 0, 0, true
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			empty = false
		case '[', '{':
			empty = empty && open == 0
			open++
		case ']', '}':
			open--
		case ',':
			if open == 1 {
				n++
			}
		case ' ', '\t', '\r', '\n':
		default:
			empty = false
		}
	}
	if empty {
		return 0
	}
	return n + 1
}
