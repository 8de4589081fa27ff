package riderapp_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"doorbell/hub/track"
	"doorbell/hub/track/riderapp"
)

var update = flag.Bool("update", false, "write testdata anew")

// now is when the requests of testdata came in.
var now = track.MilliOf(time.Date(2026, 3, 14, 12, 1, 0, 0, time.UTC))

// doors are the decoders by their folder in testdata.
var doors = map[string]func(riderapp.Request) (riderapp.Post, error){
	"owntracks": riderapp.OwnTracks,
	"osmand":    riderapp.OsmAnd,
	"overland":  riderapp.Overland,
	"gpslogger": riderapp.GPSLogger,
	"native":    func(r riderapp.Request) (riderapp.Post, error) { return riderapp.Native(r.Body) },
}

// The files in testdata are requests as the apps send them, most of them the samples that their makers publish, and what
// is made of each: the fixes to the last digit and the answer to the last byte.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.http")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		app := filepath.Base(filepath.Dir(file))
		t.Run(app+"/"+strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			got := []byte(describe(doors[app](readRequest(t, file))))
			want := strings.TrimSuffix(file, ".http") + ".want"
			if *update {
				if err := os.WriteFile(want, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if b, err := os.ReadFile(want); err != nil || !bytes.Equal(b, got) {
				t.Errorf("got\n%swant\n%s%v", got, b, err)
			}
		})
	}
}

// readRequest reads a request as it is on the wire, but for the length of its body, which is what is left of the file
// without the last line's end.
func readRequest(t testing.TB, file string) riderapp.Request {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(b, []byte("\n\n"))
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(slices.Clone(head), "\n\n"...))))
	if err != nil {
		t.Fatal(err)
	}
	return riderapp.RequestOf(r, bytes.TrimSuffix(body, []byte("\n")), now)
}

func describe(p riderapp.Post, err error) string {
	if err != nil {
		return fmt.Sprintf("error %v\n", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "device %s\n", p.Device)
	for _, pt := range p.Points {
		if !track.OnEarth(pt.Lat, pt.Lon) {
			fmt.Fprintln(&b, "no place")
			continue
		}
		fmt.Fprintf(&b, "point %v\n", pt)
		if d := track.DeviceHash(p.Device); pt.Device != d {
			fmt.Fprintf(&b, "of device %d, not %d\n", pt.Device, d)
		}
	}
	fmt.Fprintf(&b, "answer %d %s %s\n", p.Answer.Status, p.Answer.ContentType, p.Answer.Body)
	return b.String()
}
