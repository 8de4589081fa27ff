package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// asset is one embedded file and how it is sent. It never changes while the program runs.
type asset struct {
	contentType string
	body        []byte
	packed      bool   // body is gzip
	tag         string // of body, hexadecimal
}

func newAsset(contentType string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{contentType: contentType, body: body, tag: hex.EncodeToString(sum[:8])}
}

// newPackedAsset takes what gzip made. Who does not accept gzip gets it unpacked.
func newPackedAsset(contentType string, packed []byte) asset {
	a := newAsset(contentType, packed)
	a.packed = true
	return a
}

func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "no-cache") // a new binary may bring a new file; until then 304
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", `"`+a.tag+`"`)
	if a.packed {
		h.Set("Vary", "Accept-Encoding")
		if !acceptsGzip(r.Header.Values("Accept-Encoding")) {
			a.unpack(w, r)
			return
		}
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", `"`+a.tag+`-gzip"`)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// unpack is for the few who take no gzip: it unpacks as it sends and keeps nothing.
func (a asset) unpack(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		panic("pages: an embedded file is no gzip: " + err.Error())
	}
	_, _ = io.Copy(w, z) // fails only when the reader has gone
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3).
func acceptsGzip(values []string) bool {
	accepted := false
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "*" {
			continue
		}
		ok := true
		if q, found := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q="); found {
			weight, err := strconv.ParseFloat(q, 64)
			ok = err == nil && weight > 0
		}
		if coding == "gzip" {
			return ok // named, so * does not matter
		}
		accepted = ok
	}
	return accepted
}
