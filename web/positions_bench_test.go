package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// BenchmarkPositions is what a post costs the server without its socket: token, rate, decoding, the rules of package track,
// the window, and its answer. Each courier carries an order that nobody watches.
func BenchmarkPositions(b *testing.B) {
	const couriers = 100
	for _, v := range []struct {
		name   string
		points int
		path   func(phone) string
		token  func(phone) string
		point  string // of time, latitude
		head   string
		tail   string
	}{
		{"RestSingle", 1, func(p phone) string { return "/v1/couriers/" + p.id + "/locations" }, func(p phone) string { return p.jwt },
			`{"at":"%s","lat":%v,"lon":121.473701,"accuracy":8.5,"speed":4.25,"heading":181,"battery":57}`, `{"points":[`, `]}`},
		{"RestFive", 5, func(p phone) string { return "/v1/couriers/" + p.id + "/locations" }, func(p phone) string { return p.jwt },
			`{"at":"%s","lat":%v,"lon":121.473701,"accuracy":8.5,"speed":4.25,"heading":181,"battery":57}`, `{"points":[`, `]}`},
		{"OverlandFive", 5, func(phone) string { return "/v1/ingest/overland" }, func(p phone) string { return p.token },
			`{"type":"Feature","properties":{"timestamp":"%s","horizontal_accuracy":8},"geometry":{"type":"Point","coordinates":[121.4737,%v]}}`, `{"locations":[`, `]}`},
	} {
		b.Run(v.name, func(b *testing.B) {
			n, c := benched(b)
			var phones []phone
			for i := range couriers {
				phones = append(phones, n.phone(c, fmt.Sprint("cou_", i)))
			}
			at := n.now.now()
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				who := phones[i%couriers]
				if i%couriers == 0 {
					n.now.pass(time.Duration(v.points) * 5 * time.Second)
				}
				points := make([]string, v.points)
				for j := range points {
					at := at.Add(time.Duration(5*(i/couriers*v.points+j)) * time.Second)
					points[j] = fmt.Sprintf(v.point, at.UTC().Format(orders.TimeFormat), 31.23+float64((i/couriers*v.points+j)%1000)*1e-4)
				}
				req := httptest.NewRequest(http.MethodPost, v.path(who), strings.NewReader(v.head+strings.Join(points, ",")+v.tail))
				req.Header.Set("Authorization", "Bearer "+v.token(who))
				w := httptest.NewRecorder()
				n.web.ServeHTTP(w, req)
				if w.Code/100 != 2 || v.points == 1 && !strings.Contains(w.Body.String(), `"accepted":1`) && i < 900*couriers {
					b.Fatal(w.Code, w.Body)
				}
				i++
			}
		})
	}
}
