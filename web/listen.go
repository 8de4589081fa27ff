package web

import (
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"doorbell/hub/wsconn"
)

// Limits of a connection, before any request is understood.
const (
	maxHeaderBytes    = 16 << 10         // a request's line and headers
	readHeaderTimeout = 5 * time.Second  // for those headers: a slow sender is cut off
	readTimeout       = 20 * time.Second // for headers and body
	writeTimeout      = MaxWait + 30*time.Second
	idleTimeout       = 2 * time.Minute // of a kept connection
	maxStreams        = 250             // of one HTTP/2 connection
)

// NewHTTPServer makes the server for a public handler: HTTP/1.1 and HTTP/2, over TLS or, in clear, by prior knowledge
// (h2c) on the same port.
func NewHTTPServer(h http.Handler, log zerolog.Logger) *http.Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, Protocols: &p, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		MaxHeaderBytes: maxHeaderBytes, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, ErrorLog: stdLog(log), ConnContext: wsconn.WithConn,
	}
}
