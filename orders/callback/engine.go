package callback

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"doorbell/orders"
)

// Defaults of an Engine's limits.
const (
	DefaultLimit       = 512 // tries under way whose endpoints are well
	DefaultEndpointCap = 8
	DefaultHostCap     = 128
)

const (
	// DisableAfter is how long an endpoint may go without one success before it is disabled.
	DisableAfter = 72 * time.Hour
	// failingGap is a silence after which failures count anew: one failure, three days without an order, and another one
	// are not three days of failure.
	failingGap = 24 * time.Hour
	// failingNotice is how long an endpoint may fail before ops are told; they are told sooner when its breaker opens.
	failingNotice = 5 * time.Minute
	// ackKept is how long an ack is remembered for a row that is not known yet.
	ackKept = 5 * time.Second

	provingEvery = time.Second // tries at an origin that has never answered 2xx
	troubleShare = 4           // those in trouble have one of so many tries; see Config.Limit
	hardLimit    = 4           // times Config.Limit: tries under way in all
	maxUnsaved   = 10_000      // settlements; beyond them nothing is sent until the store takes some
	freshCfg     = 30 * time.Second
	idleEndpoint = 10 * time.Minute // then what is known of it is forgotten
	janitorEvery = time.Minute
)

// Config is what an Engine needs to know. Zero fields take the default beside them.
type Config struct {
	Client      *Client // required; closed by nobody
	Log         zerolog.Logger
	Notices     Notices               // nil: nobody
	Metrics     prometheus.Registerer // nil: nowhere
	Limit       int                   // DefaultLimit
	EndpointCap int                   // DefaultEndpointCap; Endpoint.Cap is stronger
	HostCap     int                   // DefaultHostCap, per host and port
	Drain       time.Duration         // for tries under way when Run ends; 0 = 10 s
	LookEvery   time.Duration         // between looks for rows that nobody told of, where several nodes write; 0 = 1 s
}

// Engine sends what waits. It is safe for concurrent use.
type Engine struct {
	cfg     Config
	store   Store
	metrics *metrics
	chance  func() float64 // in [0, 1)

	poke   chan struct{} // the earliest alarm moved; capacity 1
	toSave chan struct{} // something is to be settled; capacity 1
	toRead chan struct{} // something is to be read; capacity 1
	tries  sync.WaitGroup

	mu        sync.Mutex     // guards the following
	running   bool           // tries may begin
	alone     bool           // this node writes all rows, and hears of each
	offset    time.Duration  // of the store's clock before ours
	validTo   time.Time      // our clock: until when the lease surely holds; zero = for good
	shards    [Shards]*shard // nil: not held
	endpoints map[string]*endpoint
	origins   map[string]*origin
	lanes     map[string][]*lane // by lane id
	rows      int
	bells     alarms
	sleeping  time.Time // the alarm that runAlarms waits for
	turns     fifo[*endpoint]
	inTrouble fifo[*endpoint] // that wait for the share of those in trouble
	inFlight  int
	trouble   int // of inFlight
	acks      acks
	done      tombs
	unsaved   Batch
	unsavedOf []*shard            // of unsaved.Rows, one for one
	health    map[string]Health   // by endpoint, what is not stored
	toStore   map[string]struct{} // of health, what is not being stored either
	notices   []Notice            // to be told once that is stored
	saving    int                 // things of a batch that is being stored
	wanted    wanted
}

// wanted is what runReads is to read.
type wanted struct {
	shards    []*shard
	lanes     map[string]struct{}
	endpoints map[string]struct{} // their settings
	revived   map[string]struct{} // endpoints whose rows are to be read, too
}

// New makes an engine. It starts nothing; see Run.
func New(store Store, cfg Config) (*Engine, error) {
	if cfg.Client == nil {
		return nil, errors.New("callback: no client")
	}
	setDefault(&cfg.Limit, DefaultLimit)
	setDefault(&cfg.EndpointCap, DefaultEndpointCap)
	setDefault(&cfg.HostCap, DefaultHostCap)
	setDefault(&cfg.Drain, 10*time.Second)
	setDefault(&cfg.LookEvery, time.Second)
	e := &Engine{
		cfg: cfg, store: store, chance: rand.Float64,
		poke: make(chan struct{}, 1), toSave: make(chan struct{}, 1), toRead: make(chan struct{}, 1),
		endpoints: map[string]*endpoint{}, origins: map[string]*origin{}, lanes: map[string][]*lane{},
		health: map[string]Health{}, toStore: map[string]struct{}{},
		wanted: wanted{lanes: map[string]struct{}{}, endpoints: map[string]struct{}{}, revived: map[string]struct{}{}},
	}
	m, err := newMetrics(cfg.Metrics, e)
	if err != nil {
		return nil, err
	}
	e.metrics = m
	return e, nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Run sends until ctx ends. Then it begins nothing, gives tries under way Config.Drain, stores their outcome and gives
// back what it holds: other nodes go on. It must not be called twice.
func (e *Engine) Run(ctx context.Context) error {
	e.set(func() { e.running = true })
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // goes on while the tries under way end
	defer stop()
	var loops sync.WaitGroup
	loops.Go(func() { e.runAlarms(ctx) })
	loops.Go(func() { e.runLease(ctx) })
	loops.Go(func() { e.runReads(ctx) })
	loops.Go(func() { e.runLook(ctx) })
	loops.Go(func() { e.runJanitor(ctx) })
	var saves sync.WaitGroup
	saves.Go(func() { e.runSaves(work) })

	<-ctx.Done()
	e.set(func() { e.running = false })
	loops.Wait()
	e.finishTries()
	e.saveRest(work)
	stop()
	saves.Wait()
	e.set(e.dropAll)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), orders.LeaseFor)
	defer cancel()
	if err := e.store.Release(last); err != nil {
		e.cfg.Log.Debug().Err(err).Msg("callbacks: lease not given back, it runs out")
	}
	e.metrics.unregister()
	return nil
}

// finishTries waits for what is under way, Config.Drain long; what is left then is cancelled, and its row waits.
func (e *Engine) finishTries() {
	ended := make(chan struct{})
	go func() { e.tries.Wait(); close(ended) }()
	t := time.NewTimer(e.cfg.Drain)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		e.set(e.dropAll)
		<-ended
	}
}

// set runs f under the lock.
func (e *Engine) set(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

// now is the store's clock. The lock is held.
func (e *Engine) now() time.Time { return time.Now().Add(e.offset) }

// signal wakes whoever reads c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
