package web

import (
	stdlog "log"
	"strings"

	"github.com/rs/zerolog"
)

// stdLog carries what net/http complains about (broken handshakes, mostly a client's doing) into our log.
func stdLog(log zerolog.Logger) *stdlog.Logger {
	return stdlog.New(lineWriter{log}, "", 0)
}

type lineWriter struct{ log zerolog.Logger }

func (l lineWriter) Write(p []byte) (int, error) {
	l.log.Debug().Str("detail", strings.TrimSpace(string(p))).Msg("http server")
	return len(p), nil
}
