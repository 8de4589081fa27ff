package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// The headers of Standard Webhooks, as net/http spells them: lower case on an HTTP/2 wire, and case does not matter.
const (
	headerID        = "Webhook-Id"        // the same at every try of a callback
	headerTimestamp = "Webhook-Timestamp" // Unix seconds of the try
	headerSignature = "Webhook-Signature" // "v1,<base64>", two with a space between during a rotation
	headerDelivery  = "Webhook-Delivery"  // of the answer: disable or abort-message
)

// sign adds the three headers. The signed content is id, timestamp and body with dots between.
func sign(h http.Header, id string, at time.Time, body []byte, secrets []Secret) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	line := make([]byte, 0, 96)
	for i, s := range secrets {
		if i > 0 {
			line = append(line, ' ')
		}
		line = append(line, "v1,"...)
		line = base64.StdEncoding.AppendEncode(line, signature(s, id, stamp, body))
	}
	h[headerID] = []string{id}
	h[headerTimestamp] = []string{stamp}
	h[headerSignature] = []string{string(line)}
}

func signature(s Secret, id, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(id + "." + stamp + "."))
	m.Write(body)
	return m.Sum(nil)
}
