package store

import (
	"encoding/base64"

	"doorbell/orders"
)

// cursorForm begins every cursor, so that another form can follow one day without being mistaken for this one.
const cursorForm = 1

// formatCursor names the last order of a page: base64url of the form and the id.
func formatCursor(lastID string) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{cursorForm}, lastID...))
}

// parseCursor is the id in a cursor. What no page returned is Invalid and names the field cursor.
func parseCursor(s string) (lastID string, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil && len(b) > 0 && b[0] == cursorForm && orders.ValidID(string(b[1:])) {
		lastID = string(b[1:])
		if formatCursor(lastID) == s { // the decoder skips line breaks
			return lastID, nil
		}
	}
	e := orders.Errorf(orders.Invalid, "cursor is not one that a page returned")
	e.Fields = []orders.FieldError{{Pointer: "cursor", Detail: e.Text}}
	return "", e
}
