package faults

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// row is what one fault did, over all the times it happened.
type row struct {
	fault    string
	limit    time.Duration   // for the p99 of whole
	clients  int             // watchers
	events   int             // what the database says they were owed in all, each change once for each watcher
	lost     int             // of them, those that a watcher was not told; and acknowledged changes that are gone
	repeated int             // told again, steps back, timers that fired again
	whole    []time.Duration // for each watcher: from the fault's end until it had all that was answered with 2xx before
	asked    int64           // attempts at a request while it lasted and until all were whole
	answered int64           // of them, those that got an answer below 500
	notes    []string        // about who was slow
	wrong    []string        // what is behind lost and repeated, and whatever else makes it fail
}

// percentile is the p-th of all times, 0 for none.
func (r *row) percentile(p float64) time.Duration {
	if len(r.whole) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(r.whole))
	return s[min(len(s)-1, int(float64(len(s))*p))]
}

// fine reports whether the fault was survived as promised.
func (r *row) fine() bool {
	return r.lost == 0 && r.repeated == 0 && len(r.wrong) == 0 && r.percentile(0.99) <= r.limit
}

const columns = "%-44s %7s %8s %5s %8s  %9s %9s  %9s"

func (r *row) String() string {
	share := "-"
	if r.asked > 0 {
		share = fmt.Sprintf("%.1f %%", 100*float64(r.answered)/float64(r.asked))
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
	late := ""
	if r.percentile(0.99) > r.limit {
		late = "  late: limit " + r.limit.String()
	}
	return fmt.Sprintf(columns, r.fault, fmt.Sprint(r.clients), fmt.Sprint(r.events), fmt.Sprint(r.lost), fmt.Sprint(r.repeated),
		ms(r.percentile(0.5)), ms(r.percentile(0.99)), share) + late
}

func heading() string {
	return fmt.Sprintf(columns, "fault", "clients", "events", "lost", "repeated", "whole p50", "whole p99", "answered")
}

// table is the rows of all worlds.
type table struct {
	mu   sync.Mutex // guards the following
	rows []*row
}

var results table

// add takes what a fault did this time, and prints it at once: a long run is watched by somebody.
func (t *table) add(r *row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		fmt.Println(heading())
	}
	fmt.Println(r)
	for _, line := range slices.Concat(r.notes, r.wrong) {
		fmt.Fprintln(os.Stdout, "  ", line)
	}
	i := slices.IndexFunc(t.rows, func(x *row) bool { return x.fault == r.fault })
	if i < 0 {
		c := *r
		t.rows = append(t.rows, &c)
		return
	}
	sum := t.rows[i]
	sum.events += r.events
	sum.lost += r.lost
	sum.repeated += r.repeated
	sum.whole = append(sum.whole, r.whole...)
	sum.asked += r.asked
	sum.answered += r.answered
	sum.wrong = append(sum.wrong, r.wrong...)
}

// last prints the whole table and its verdict, and reports whether every fault was survived.
func (t *table) last(w io.Writer) (fine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		return true // nothing was broken: the build was, or -run left the faults out
	}
	fine = true
	lost, repeated := 0, 0
	fmt.Fprintf(w, "\n%s\n", heading())
	for _, r := range t.rows {
		fmt.Fprintln(w, r)
		lost, repeated, fine = lost+r.lost, repeated+r.repeated, fine && r.fine()
	}
	fmt.Fprintf(w, "total lost=%d repeated=%d\n", lost, repeated)
	return fine
}
