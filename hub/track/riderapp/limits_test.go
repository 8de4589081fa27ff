package riderapp_test

import (
	"bytes"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"doorbell/hub/track"
	"doorbell/hub/track/riderapp"
	"doorbell/orders"
)

func request(body string) riderapp.Request { return riderapp.Request{Body: []byte(body), Now: now} }

// repeated is a document of n elements.
func repeated(head, element, tail string, n int) string {
	return head + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + tail
}

func TestLimits(t *testing.T) {
	deep := func(n int) string { return `{"points":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	for _, c := range []struct {
		name, door, body string
		kind             orders.Kind // "" = taken
		field            string
	}{
		{"TenMegabytes", "owntracks", strings.Repeat(" ", 10<<20), orders.TooLarge, ""},
		{"TenMegabytes", "osmand", strings.Repeat("a=b&", 10<<18), orders.TooLarge, ""},
		{"TenMegabytes", "overland", strings.Repeat("[", 10<<20), orders.TooLarge, ""},
		{"TenMegabytes", "gpslogger", strings.Repeat("x", 10<<20), orders.TooLarge, ""},
		{"TenMegabytes", "native", strings.Repeat("{", 10<<20), orders.TooLarge, ""},
		{"AMegabyteOfForm", "osmand", strings.Repeat("a=b&", 1<<17), orders.TooLarge, ""},
		{"AMegabyteOfForm", "gpslogger", strings.Repeat("a=b&", 1<<17), orders.TooLarge, ""},
		{"AsDeepAsMayBe", "native", deep(riderapp.MaxDepth - 1), "", ""},
		{"TooDeep", "native", deep(riderapp.MaxDepth), orders.Invalid, ""},
		{"TooDeep", "overland", `{"locations":` + strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 21), orders.Invalid, ""},
		{"BracketsInStringsAreNotDeep", "native", `{"points":[],"x":"` + strings.Repeat(`[{\"`, 50) + `"}`, "", ""},
		{"AThousand", "native", repeated(`{"points":[`, `{}`, `]}`, 1000), "", ""},
		{"AThousand", "overland", repeated(`{"locations":[`, `{}`, `],"current":{}}`, 1000), "", ""},
		{"AThousand", "osmand", repeated(`{"location":[`, `{}`, `]}`, 1000), "", ""},
		{"AThousandAndOne", "native", repeated(`{"points":[`, `{}`, `]}`, 1001), orders.TooLarge, "/points"},
		{"AThousandAndOne", "overland", repeated(`{"locations":[`, `{}`, `]}`, 1001), orders.TooLarge, "/locations"},
		{"AThousandAndOne", "osmand", repeated(`{"location":[`, `{}`, `]}`, 1001), orders.TooLarge, "/location"},
	} {
		t.Run(c.door+"/"+c.name, func(t *testing.T) {
			p, err := doors[c.door](request(c.body))
			if c.kind == "" && err != nil || c.kind != "" && orders.KindOf(err) != c.kind {
				t.Fatalf("%v, want %q", err, c.kind)
			}
			if len(p.Points) > track.MaxPoints {
				t.Errorf("%d points", len(p.Points))
			}
			if c.field != "" {
				if e := err.(*orders.Error); len(e.Fields) != 1 || e.Fields[0].Pointer != c.field {
					t.Errorf("%+v", e.Fields)
				}
			}
		})
	}
}

// A short body that says a great many things must not become a great many things.
func TestMemory(t *testing.T) {
	fill := func(head, element, tail string) string {
		return repeated(head, element, tail, (riderapp.MaxBody-100)/(len(element)+1))
	}
	for name, body := range map[string]string{
		"native/Objects":       fill(`{"points":[`, `{}`, `]}`),
		"native/Same":          fill(`{`, `"points":[]`, `}`),
		"overland/Objects":     fill(`{"locations":[`, `{}`, `]}`),
		"overland/Coordinates": fill(`{"locations":[{"geometry":{"coordinates":[`, `1`, `]}}]}`),
		"osmand/Objects":       fill(`{"location":[`, `{}`, `]}`),
		"owntracks/Names":      fill(`{`, `"a":1`, `}`),
		"gpslogger/Lines":      "time,lat,lon\n" + strings.Repeat("\n,", riderapp.MaxBody/2-100),
	} {
		t.Run(name, func(t *testing.T) {
			r, door := request(body), doors[strings.Split(name, "/")[0]]
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := door(r)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 20<<20 && name != "gpslogger/Lines" || n > 100<<20 {
				t.Errorf("%d MB were allocated for a body of one, %v", n>>20, err)
			}
		})
	}
}

// The app sends its whole file again and again: of a long one the last lines are read.
func TestGPSLogger_LongFile(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("time,lat,lon\n")
	const n = 5000
	for i := range n {
		fmt.Fprintf(&b, "2026-03-14T%02d:%02d:%02d.000Z,31.2304,121.4737\n", i/3600, i/60%60, i%60)
	}
	p, err := riderapp.GPSLogger(riderapp.Request{Body: b.Bytes(), Query: url.Values{"id": {"r7"}}, Now: now})
	if err != nil || len(p.Points) != track.MaxPoints {
		t.Fatal(len(p.Points), err)
	}
	last := p.Points[len(p.Points)-1].At.Time().Format("15:04:05")
	first := p.Points[0].At.Time().Format("15:04:05")
	if last != "01:23:19" || first != "01:06:40" {
		t.Errorf("from %s to %s", first, last)
	}
}

func TestByteOrderMark(t *testing.T) {
	for door, body := range map[string]string{
		"native": `{"points":[]}`, "osmand": `{"location":{}}`, "overland": `{"locations":[]}`, "owntracks": `{"_type":"location"}`,
		"gpslogger": "time,lat,lon\n",
	} {
		if _, err := doors[door](request("\ufeff" + body)); err != nil {
			t.Errorf("%s: %v", door, err)
		}
	}
}

func TestNativeAnswer(t *testing.T) {
	for _, c := range []struct {
		r          track.Result
		onDelivery bool
		want       string
	}{
		{track.Result{}, true, `{"accepted":0,"dropped":[],"nextIntervalMs":5000}`},
		{track.Result{Accepted: 5}, false, `{"accepted":5,"dropped":[],"nextIntervalMs":30000}`},
		{track.Result{Accepted: 1, Still: true, Dropped: []track.Drop{{I: 1, Reason: track.Invalid}, {I: 3, Reason: track.Teleport}}}, false,
			`{"accepted":1,"dropped":[{"i":1,"reason":"INVALID"},{"i":3,"reason":"TELEPORT"}],"nextIntervalMs":60000}`},
	} {
		if got := string(riderapp.NativeAnswer(nil, &c.r, c.onDelivery)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// A batch of five as our own app sends it.
func BenchmarkNative_Five(b *testing.B) {
	body := []byte(repeated(`{"points":[`, `{"at":"2026-03-14T12:00:00.000Z","lat":31.230412,"lon":121.473701,"accuracy":8.5,"speed":4.25,"heading":181,"battery":57}`, `]}`, 5))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if p, err := riderapp.Native(body); err != nil || len(p.Points) != 5 {
			b.Fatal(err)
		}
	}
}
