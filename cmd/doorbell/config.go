package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"doorbell/hub/track"
	"doorbell/orders"
)

// envPrefix begins the environment variable of every flag: --pay-by is DOORBELL_PAY_BY.
const envPrefix = "DOORBELL_"

// config is everything a server can be told. Flags come before the environment, the environment before the default.
type config struct {
	Listen string `env:"LISTEN" envDefault:":8080"`
	Admin  string `env:"ADMIN" envDefault:"127.0.0.1:9090"`
	Data   string `env:"DATA" envDefault:"./data"`

	Redis       string   `env:"REDIS"`
	RedisPrefix string   `env:"REDIS_PREFIX" envDefault:"doorbell"`
	Postgres    string   `env:"POSTGRES"`
	Roles       []string `env:"ROLES" envDefault:"api,hub,callbacks"`

	TLSCert string `env:"TLS_CERT"`
	TLSKey  string `env:"TLS_KEY"`

	JWTSecretFile string `env:"JWT_SECRET_FILE"`
	JWTIssuer     string `env:"JWT_ISSUER" envDefault:"doorbell"`
	JWTAudience   string `env:"JWT_AUDIENCE" envDefault:"doorbell"`
	JWKSURL       string `env:"JWKS_URL"`

	PublicURL      string   `env:"PUBLIC_URL"`
	Origins        []string `env:"ORIGINS"`
	TrustedProxies []string `env:"TRUSTED_PROXIES"`
	CallbackAllow  []string `env:"CALLBACK_ALLOW"`

	Drain        time.Duration `env:"DRAIN" envDefault:"20s"`
	ArchiveAfter time.Duration `env:"ARCHIVE_AFTER" envDefault:"720h"`

	PayBy          time.Duration `env:"PAY_BY" envDefault:"15m"`
	AcceptBy       time.Duration `env:"ACCEPT_BY" envDefault:"10m"`
	CourierBy      time.Duration `env:"COURIER_BY" envDefault:"30m"`
	AmendmentBy    time.Duration `env:"AMENDMENT_BY" envDefault:"3m"`
	CancelAnswerBy time.Duration `env:"CANCEL_ANSWER_BY" envDefault:"15m"`
	ContactWait    time.Duration `env:"CONTACT_WAIT" envDefault:"7m"`

	CustomerRate    float64 `env:"CUSTOMER_RATE" envDefault:"50"`
	CourierRequests float64 `env:"COURIER_REQUESTS" envDefault:"20"`
	UnpaidOrders    int     `env:"UNPAID_ORDERS" envDefault:"10"`

	CourierRate   float64       `env:"COURIER_RATE" envDefault:"1"`
	LocationEvery time.Duration `env:"LOCATION_EVERY" envDefault:"2s"`
	MaxSpeed      float64       `env:"MAX_SPEED" envDefault:"45"`

	SocketsPerSubject int `env:"SOCKETS_PER_SUBJECT" envDefault:"20"`

	LogLevel string `env:"LOG_LEVEL" envDefault:"info"`
}

// configFrom is the configuration of the environment, before any flag.
func configFrom(environment map[string]string) (*config, error) {
	var c config
	err := env.ParseWithOptions(&c, env.Options{Prefix: envPrefix, Environment: environment})
	var many env.AggregateError
	if errors.As(err, &many) {
		err = many.Errors[0] // one sentence is enough to go on
	}
	var wrong env.ParseError
	if errors.As(err, &wrong) { // it names the field, which only we know
		if f, ok := reflect.TypeFor[config]().FieldByName(wrong.Name); ok {
			err = fmt.Errorf("%s%s: %w", envPrefix, f.Tag.Get("env"), wrong.Err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	return &c, nil
}

// flags declares the flags of serve on top of what the environment said.
func (c *config) flags(f *pflag.FlagSet) {
	f.StringVar(&c.Listen, "listen", c.Listen, "address of the public port")
	f.StringVar(&c.Admin, "admin", c.Admin, "address of /metrics, /debug/pprof and health, never public; empty = none")
	f.StringVar(&c.Data, "data", c.Data, "folder of the database and the token secret; made when absent")
	f.StringVar(&c.Redis, "redis", c.Redis, "of many nodes: redis://, rediss://, redis+cluster://host,host or redis+sentinel://host,host/primary; empty = one process is all there is")
	f.StringVar(&c.RedisPrefix, "redis-prefix", c.RedisPrefix, "first part of every key and channel, so that installations can share a Redis")
	f.StringVar(&c.Postgres, "postgres", c.Postgres, "of many nodes: postgres://user:password@host/database; empty = SQLite in --data")
	f.StringSliceVar(&c.Roles, "roles", c.Roles, "what this node does, of api, hub and callbacks; a split needs --redis")
	f.StringVar(&c.TLSCert, "tls-cert", c.TLSCert, "certificate chain (PEM); with --tls-key the port speaks TLS")
	f.StringVar(&c.TLSKey, "tls-key", c.TLSKey, "private key (PEM) of --tls-cert")
	f.StringVar(&c.JWTSecretFile, "jwt-secret-file", c.JWTSecretFile, "HS256 key: the file's bytes without white space around, at least 32; empty = jwt-secret in --data, made when absent, unless --jwks-url is given")
	f.StringVar(&c.JWTIssuer, "jwt-issuer", c.JWTIssuer, "iss that tokens must have")
	f.StringVar(&c.JWTAudience, "jwt-audience", c.JWTAudience, "aud that tokens must have")
	f.StringVar(&c.JWKSURL, "jwks-url", c.JWKSURL, "key set for RS, PS, ES and EdDSA tokens")
	f.StringVar(&c.PublicURL, "public-url", c.PublicURL, "how clients reach this installation, for tracking links; empty = http://localhost and the port")
	f.StringSliceVar(&c.Origins, "origins", c.Origins, "browser origins that may call the API, e.g. https://app.example; empty = none")
	f.StringSliceVar(&c.TrustedProxies, "trusted-proxies", c.TrustedProxies, "CIDRs whose X-Forwarded-For is believed; empty = none")
	f.StringSliceVar(&c.CallbackAllow, "callback-allow", c.CallbackAllow, "for development: private CIDRs that callbacks may reach, on any port and over plain http")
	f.DurationVar(&c.Drain, "drain", c.Drain, "time in which live clients are moved away after SIGTERM")
	f.DurationVar(&c.ArchiveAfter, "archive-after", c.ArchiveAfter, "age at which ended orders move to the archive: a file per day, or Postgres's schema archive; 0 = never")
	f.DurationVar(&c.PayBy, "pay-by", c.PayBy, "time to pay; then PAYMENT_TIMEOUT")
	f.DurationVar(&c.AcceptBy, "accept-by", c.AcceptBy, "time for the merchant to accept, reminder at half; then MERCHANT_TIMEOUT")
	f.DurationVar(&c.CourierBy, "courier-by", c.CourierBy, "time from confirmation to a courier; then NO_COURIER")
	f.DurationVar(&c.AmendmentBy, "amendment-by", c.AmendmentBy, "time for the customer to answer an amendment; then its soldOutPolicy")
	f.DurationVar(&c.CancelAnswerBy, "cancel-answer-by", c.CancelAnswerBy, "time for the merchant to answer a request to cancel; then it is approved")
	f.DurationVar(&c.ContactWait, "contact-wait", c.ContactWait, "time at the customer's door before a courier may give up")
	f.Float64Var(&c.CustomerRate, "customer-rate", c.CustomerRate, "requests a second of one customer or tracking link, burst six times that; 0 = no limit")
	f.Float64Var(&c.CourierRequests, "courier-requests", c.CourierRequests, "requests a second of one courier, burst five times that; 0 = no limit")
	f.IntVar(&c.UnpaidOrders, "unpaid-orders", c.UnpaidOrders, "UNPAID orders a customer may have at a time; 0 = no limit")
	f.Float64Var(&c.CourierRate, "courier-rate", c.CourierRate, "posts of positions a second of one courier, burst ten times that; 0 = no limit")
	f.DurationVar(&c.LocationEvery, "location-every", c.LocationEvery, "a watcher is told at most one position of an order in this time; 0 = every one")
	f.Float64Var(&c.MaxSpeed, "max-speed", c.MaxSpeed, "metres a second beyond which a courier's fix is held until others agree with it; 0 = any speed")
	f.IntVar(&c.SocketsPerSubject, "sockets-per-subject", c.SocketsPerSubject, "live sockets and streams of one person, ops excepted; 0 = no limit")
	f.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	for _, secret := range []string{"redis", "postgres"} {
		f.Lookup(secret).DefValue = "" // --help prints it, and the environment's may hold a password
	}
	f.VisitAll(func(fl *pflag.Flag) { fl.Usage += " ($" + envName(fl.Name) + ")" })
}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// parsed is what config's texts mean.
type parsed struct {
	level   zerolog.Level
	proxies []netip.Prefix
	allow   []netip.Prefix
	policy  orders.Policy
	roles   roles
}

// check reads the texts and refuses what cannot work, naming the flag.
func (c *config) check() (parsed, error) {
	var p parsed
	bad := func(flag string, err error) (parsed, error) { return parsed{}, fmt.Errorf("--%s: %w", flag, err) }
	var err error
	p.level, err = zerolog.ParseLevel(c.LogLevel)
	if err != nil || !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) { // zerolog knows numbers and "disabled", too
		return bad("log-level", fmt.Errorf("%q is none of debug, info, warn, error", c.LogLevel))
	}
	if p.proxies, err = prefixes(c.TrustedProxies); err != nil {
		return bad("trusted-proxies", err)
	}
	if p.allow, err = prefixes(c.CallbackAllow); err != nil {
		return bad("callback-allow", err)
	}
	if p.roles, err = c.rolesAndServers(); err != nil {
		return parsed{}, err
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return bad("tls-cert", errors.New("--tls-cert and --tls-key go together"))
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
			return bad("public-url", fmt.Errorf("%q is not an absolute http(s) URL without query and fragment", c.PublicURL))
		}
	}
	for _, o := range c.Origins {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return bad("origins", fmt.Errorf("%q is not an origin such as https://app.example", o))
		}
	}
	for flag, d := range map[string]time.Duration{
		"pay-by": c.PayBy, "accept-by": c.AcceptBy, "courier-by": c.CourierBy, "amendment-by": c.AmendmentBy,
		"cancel-answer-by": c.CancelAnswerBy,
	} {
		if d <= 0 {
			return bad(flag, errors.New("must be more than 0"))
		}
	}
	for flag, n := range map[string]float64{
		"contact-wait": c.ContactWait.Seconds(), "drain": c.Drain.Seconds(), "archive-after": c.ArchiveAfter.Seconds(),
		"customer-rate": c.CustomerRate, "courier-requests": c.CourierRequests, "unpaid-orders": float64(c.UnpaidOrders),
		"sockets-per-subject": float64(c.SocketsPerSubject), "courier-rate": c.CourierRate,
		"location-every": c.LocationEvery.Seconds(), "max-speed": c.MaxSpeed,
	} {
		if !(n >= 0) {
			return bad(flag, errors.New("must not be negative"))
		}
	}
	p.policy = orders.DefaultPolicy
	p.policy.Estimator = track.OfOrders{Estimator: track.Formula{}}
	p.policy.PayBy, p.policy.AcceptBy, p.policy.CourierBy = c.PayBy, c.AcceptBy, c.CourierBy
	p.policy.AmendmentBy, p.policy.CancelAnswer, p.policy.ContactWait = c.AmendmentBy, c.CancelAnswerBy, c.ContactWait
	return p, nil
}

func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, t := range texts {
		t = strings.TrimSpace(t)
		if a, err := netip.ParseAddr(t); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(t)
		if err != nil {
			return nil, fmt.Errorf("%q is no network such as 10.0.0.0/8", t)
		}
		out = append(out, p)
	}
	return out, nil
}

// environ turns KEY=value lines into a map.
func environ(lines []string) map[string]string {
	out := make(map[string]string, len(lines))
	for _, l := range lines {
		if k, v, ok := strings.Cut(l, "="); ok {
			out[k] = v
		}
	}
	return out
}
