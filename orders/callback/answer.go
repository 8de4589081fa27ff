package callback

import "time"

// Stage is a part of a try; of a failed one, the part in which it failed.
type Stage string

const (
	StageDNS       Stage = "dns"        // the name's look-up
	StageConnect   Stage = "connect"    // also an address that is not allowed
	StageTLS       Stage = "tls"        // handshake and certificate
	StageWrite     Stage = "write"      // our request
	StageFirstByte Stage = "first_byte" // the answer's status and header
	StageAnswer    Stage = "answer"     // it came, and was not 2xx
)

// Timings are how long the parts of a try took; 0 = it had no such part, as a connection that was there already.
type Timings struct {
	Wait      time.Duration // from Due until the try began
	DNS       time.Duration
	Connect   time.Duration
	TLS       time.Duration
	FirstByte time.Duration // from the request's last byte until the answer's first
	Total     time.Duration // without Wait
}

// Answer is how a try ended.
type Answer struct {
	Status   int       // HTTP; 0 = there was no answer
	Delivery string    // the answer's webhook-delivery header
	Excerpt  string    // the first KiB of an answer that was not 2xx: for nobody but the endpoint's owner
	Stage    Stage     // where it failed; "" = it did not
	Error    string    // one of the texts below, which say nothing of a stranger's network; "" = it did not fail
	Wrote    time.Time // when the request's first byte left; zero = never
	Timings  Timings
	Reused   bool  // it went over a connection that was there already
	Repeated bool  // that connection died unanswered, and the request was sent once more
	Cause    error // for our log only

	RetryAfter    time.Duration // at most an hour
	HasRetryAfter bool
}

func (a *Answer) ok() bool { return a.Status >= 200 && a.Status <= 299 }

// unconnected reports whether no connection could be made.
func (a *Answer) unconnected() bool {
	return a.Stage == StageDNS || a.Stage == StageConnect || a.Stage == StageTLS
}

// What an endpoint's owner is told. An address that is not allowed and one that refuses look alike, or callbacks would
// be a port scanner.
const (
	textLookup      = "the host's name could not be resolved"
	textConnect     = "could not connect"
	textCertificate = "the certificate was not accepted"
	textTLS         = "the TLS handshake failed"
	textTime        = "no answer in time"
	textBroke       = "the connection broke before an answer"
	textHeader      = "the answer was not understood"
	textRedirect    = "a redirect, which is not followed"
	textStatus      = "the answer was not 2xx"
)
