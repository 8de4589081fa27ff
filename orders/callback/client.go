package callback

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// What a try may take.
const (
	connectTime   = 4 * time.Second // look-up and connection together
	tlsTime       = 5 * time.Second
	firstByteTime = 10 * time.Second // from the request's end until the whole header of the answer
	totalTime     = 15 * time.Second // all of it, a repeat too
	drainTime     = time.Second      // for what comes behind the header: it decides nothing

	maxHeader  = 32 << 10 // bytes of an answer's header
	maxAnswer  = 16 << 10 // bytes read of an answer's body; who sends more loses the connection
	maxExcerpt = 1 << 10  // bytes of it that are kept

	idleTime    = 90 * time.Second // an unused connection stays open
	pingAfter   = 15 * time.Second // of silence on an HTTP/2 connection
	pingTime    = 5 * time.Second
	mostIdle    = 4096 // connections
	tlsSessions = 4096 // resumed instead of made anew
)

// ClientConfig is what a Client needs to know. Zero fields take the default beside them.
type ClientConfig struct {
	Guard     *Guard         // NewGuard(nil, nil)
	Roots     *x509.CertPool // the system's
	Resolver  *net.Resolver  // the system's
	PerHost   int            // connections kept to one host and port: DefaultHostCap
	Idle      int            // connections kept in all: 4096; no more than a quarter of the open files allowed
	UserAgent string         // doorbell
}

// Client makes single tries. It follows no redirect, asks no proxy whatever the environment says, sends no cookie, and
// connects to nothing that its Guard refuses.
type Client struct {
	transport *http.Transport
	guard     *Guard
	dialer    net.Dialer
	agent     []string
	opened    atomic.Int64 // connections

	first, total time.Duration // firstByteTime and totalTime; tests have less patience
}

// NewClient makes a client. Close it.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Guard == nil {
		cfg.Guard = NewGuard(nil, nil)
	}
	setDefault(&cfg.PerHost, DefaultHostCap)
	setDefault(&cfg.Idle, mostIdle)
	setDefault(&cfg.UserAgent, "doorbell")
	c := &Client{
		guard: cfg.Guard, agent: []string{cfg.UserAgent}, first: firstByteTime, total: totalTime,
		dialer: net.Dialer{Timeout: connectTime, Resolver: cfg.Resolver, ControlContext: cfg.Guard.control},
	}
	c.transport = &http.Transport{
		Proxy:                  nil, // a proxy would hide the address from the guard
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions)},
		TLSHandshakeTimeout:    tlsTime,
		ResponseHeaderTimeout:  firstByteTime,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           cfg.Idle,
		MaxIdleConnsPerHost:    cfg.PerHost, // the default of 2 would dial anew for most requests
		IdleConnTimeout:        idleTime,
		ForceAttemptHTTP2:      true, // a dialer of one's own switches it off
		HTTP2: &http.HTTP2Config{ // without pings a peer that is gone keeps its connection for a quarter of an hour
			SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: firstByteTime,
		},
	}
	return c
}

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, network, address)
	if err == nil {
		c.opened.Add(1)
	}
	return conn, err
}

// Request is one try of a callback.
type Request struct {
	URL     *url.URL // not changed
	ID      string   // the webhook-id
	Body    []byte   // not changed
	Secrets []Secret // each signs
	At      time.Time
}

// Send posts r and waits for the answer's header. A connection that was reused and died unanswered is the usual end of
// an idle one: the request is sent once more at once, with the same webhook-id. Whoever cancels ctx gets Answer.Cause to
// tell that from a timeout.
func (c *Client) Send(ctx context.Context, r Request) Answer {
	ctx, cancel := context.WithTimeout(ctx, c.total)
	defer cancel()
	a, died := c.once(ctx, &r)
	if died && ctx.Err() == nil {
		before := a.Timings.Total
		a, _ = c.once(ctx, &r)
		a.Repeated = true
		a.Timings.Total += before
	}
	return a
}

// once makes one request. died: it went over a used connection, which ended before it answered.
func (c *Client) once(ctx context.Context, r *Request) (a Answer, died bool) {
	t := newTrace()
	ctx, cancel := context.WithCancel(httptrace.WithClientTrace(ctx, t.hooks()))
	defer cancel()
	if r.URL.Scheme == "http" {
		ctx = context.WithValue(ctx, plainHTTP{}, true)
	}
	res, err := c.transport.RoundTrip(c.request(ctx, r))
	if err != nil {
		t.into(&a)
		stage, answered := t.stage()
		a.Stage, a.Error, a.Cause = stage, explain(stage, answered, err), err
		return a, a.Reused && a.Error == textBroke
	}
	a.Status = res.StatusCode
	a.Delivery = res.Header.Get(headerDelivery)
	a.RetryAfter, a.HasRetryAfter = retryAfter(res.Header, time.Now())
	drain(res.Body, cancel, &a)
	t.into(&a)
	if !a.ok() {
		a.Stage, a.Error = StageAnswer, textStatus
		if a.Status >= 300 && a.Status <= 399 {
			a.Error = textRedirect
		}
	}
	return a, false
}

func (c *Client) request(ctx context.Context, r *Request) *http.Request {
	h := make(http.Header, 8)
	h["Content-Type"] = []string{"application/json"}
	h["User-Agent"] = c.agent
	sign(h, r.ID, r.At, r.Body, r.Secrets)
	body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	reader, _ := body()
	req := &http.Request{
		Method: http.MethodPost, URL: r.URL, Host: r.URL.Host, Header: h,
		Body: reader, GetBody: body, ContentLength: int64(len(r.Body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return req.WithContext(ctx)
}

// drain reads what a connection must be rid of before it is used again, as long as that is little and quick.
func drain(body io.ReadCloser, cancel context.CancelFunc, a *Answer) {
	defer body.Close()
	late := time.AfterFunc(drainTime, cancel)
	defer late.Stop()
	left := int64(maxAnswer)
	if !a.ok() {
		b, err := io.ReadAll(io.LimitReader(body, maxExcerpt))
		a.Excerpt = string(bytes.ToValidUTF8(b, []byte("?")))
		if err != nil {
			return
		}
		left -= int64(len(b))
	}
	_, _ = io.CopyN(io.Discard, body, left)
}

// explain is the text for an error at a stage. It must not tell one private host from another.
func explain(at Stage, answered bool, err error) string {
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &certificate):
		return textCertificate
	case at == StageConnect: // refused, not allowed, silent: all the same
		return textConnect
	case at == StageDNS:
		return textLookup
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return textTime
	case at == StageTLS:
		return textTLS
	case answered:
		return textHeader
	}
	return textBroke
}
