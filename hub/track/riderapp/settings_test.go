package riderapp_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"doorbell/hub/track/riderapp"
)

var rider = riderapp.Rider{PublicURL: "https://bell.example/", Device: "r7", Token: "s3cret/+&?"}

func TestOverlandLink(t *testing.T) {
	u, err := url.Parse(rider.OverlandLink())
	if err != nil || u.Scheme != "overland" || u.Host != "setup" {
		t.Fatal(u, err)
	}
	q := u.Query()
	if q.Get("url") != "https://bell.example/v1/ingest/overland" || q.Get("token") != rider.Token || q.Get("device_id") != "r7" {
		t.Error(q)
	}
}

// The app takes origin and path as its server, and the query as its settings.
func TestTraccarClientLink(t *testing.T) {
	u, err := url.Parse(rider.TraccarClientLink())
	if err != nil || u.Scheme+"://"+u.Host+u.EscapedPath() != "https://bell.example/v1/ingest/osmand/s3cret%2F+&%3F" {
		t.Fatal(u.EscapedPath(), err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"id": "r7", "accuracy": "high", "interval": "5", "distance": "10", "heartbeat": "30", "buffer": "true", "stop_detection": "false",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
}

func TestOwnTracksSettings(t *testing.T) {
	link, ok := strings.CutPrefix(rider.OwnTracksLink(), "owntracks:///config?inline=")
	if !ok {
		t.Fatal(link)
	}
	raw, err := url.QueryUnescape(link)
	if err != nil {
		t.Fatal(err)
	}
	inline, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"link": inline, "file": rider.OwnTracksFile()} {
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(name, err)
		}
		for setting, want := range map[string]any{
			"_type": "configuration", "mode": 3.0, "url": "https://bell.example/v1/ingest/owntracks", "auth": true, "username": "r7",
			"password": rider.Token, "deviceId": "r7", "tid": "r7", "monitoring": 2.0, "moveModeLocatorInterval": 5.0, "cmd": false,
		} {
			if got[setting] != want {
				t.Errorf("%s: %s is %v, want %v", name, setting, got[setting], want)
			}
		}
	}
}

// What the app makes of the URL is read again.
func TestGPSLoggerURL(t *testing.T) {
	s := rider.GPSLoggerURL()
	for name, value := range map[string]string{
		"%TIMESTAMP": "1773489600", "%LAT": "31.2304", "%LON": "121.4737", "%ACC": "8.5", "%SPD": "4.25", "%DIR": "181.0", "%ALT": "12.5",
		"%BATT": "57.0",
	} {
		if !strings.Contains(s, name) {
			t.Errorf("%s is not in %s", name, s)
		}
		s = strings.ReplaceAll(s, name, value)
	}
	u, err := url.Parse(s)
	if err != nil || strings.Contains(s, "%") {
		t.Fatal(s, err)
	}
	p, err := riderapp.GPSLogger(riderapp.Request{Query: u.Query(), Now: now})
	const want = "at=2026-03-14T12:00:00.000Z lat=31.2304 lon=121.4737 accuracy=8.5 speed=4.25 heading=181 altitude=12.5 battery=57"
	if err != nil || p.Device != "r7" || p.Points[0].String() != want {
		t.Errorf("%v, %v", p, err)
	}
	for _, line := range []string{"log_customurl_enabled=true", "log_customurl_url=" + rider.GPSLoggerURL(), "log_customurl_basicauth_password=" + rider.Token} {
		if !strings.Contains(rider.GPSLoggerProfile(), line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}
