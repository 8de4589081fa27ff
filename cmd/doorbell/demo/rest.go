package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// order is what the players read of an answer.
type order struct {
	OrderID string `json:"orderId"`
	Status  string `json:"status"`
	Seq     int64  `json:"seq"`
	Total   int64  `json:"total"`
	Payment struct {
		Status    string `json:"status"`
		RefundDue int64  `json:"refundDue"`
	} `json:"payment"`
	TrackingURL string `json:"trackingUrl"`
}

// rest calls the public API.
type rest struct {
	base string // http://host:port/v1
	http *http.Client
}

// call sends a request and reads an order. An answer that is not 2xx is an error with the problem's detail.
func (r rest) call(ctx context.Context, method, path, token string, body any) (order, error) {
	var o order
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return o, err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, payload)
	if err != nil {
		return o, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := r.http.Do(req)
	if err != nil {
		return o, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return o, err
	}
	if res.StatusCode/100 != 2 {
		var p struct{ Detail, Code string }
		_ = json.Unmarshal(b, &p)
		return o, fmt.Errorf("%s %s answered %d %s %s", method, path, res.StatusCode, p.Code, p.Detail)
	}
	return o, json.Unmarshal(b, &o)
}

// fields is a JSON object.
type fields map[string]any
