package bus

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"doorbell/orders"
)

// indifferent is a node where nobody watches what comes.
type indifferent struct{ nobody }

func (indifferent) Wants(_, _, _, _ string) bool { return false }

// BenchmarkReceiveUnwatched is what a status event of the whole system costs a node where nobody watches that order,
// behind the reading of the socket.
func BenchmarkReceiveUnwatched(b *testing.B) {
	r, err := NewRedis(RedisConfig{URL: "redis://127.0.0.1"})
	if err != nil {
		b.Fatal(err)
	}
	r.Bind(nil, indifferent{})
	const gen, many = "01a1fb97-2880-7822-acec-317995c181cb", 1 << 12
	e := orders.Event{Seq: 7, Type: orders.OrderPreparing, Envelope: []byte(strings.Repeat("x", 480))}
	messages := make([]string, many)
	for i := range messages {
		o := orders.Ownership{ID: orders.NewID(time.Now()), Seq: 7, Status: orders.Preparing, Restaurant: "res_12345", Customer: "cus_12345"}
		messages[i] = strconv.Itoa(i+1) + string(appendChange(nil, gen, time.Now(), "", appendOwn(nil, o), [][]byte{appendEvent(nil, &e)}))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%many == 0 {
			r.in[0].begin(gen, 0)
		}
		r.take(b.Context(), 0, messages[i%many])
	}
}
