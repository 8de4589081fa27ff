package faults

import (
	"fmt"
	"sync"
	"time"
)

// oracle writes down what is wrong. Two counts of it are what the table is about.
type oracle struct {
	mu       sync.Mutex // guards the following
	lost     int        // events that somebody was not told, and acknowledged changes that are gone
	repeated int        // events that somebody was told again, steps back, and timers that fired again
	wrong    []string   // a line for each, and for what counts as neither
	restored map[string]int64
}

// clock is how times are written.
const clock = "15:04:05.000"

// maxWrong is how many lines are kept of one fault.
const maxWrong = 40

func (o *oracle) note(lost, repeated int, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost += lost
	o.repeated += repeated
	if len(o.wrong) < maxWrong {
		o.wrong = append(o.wrong, time.Now().Format(clock+" ")+fmt.Sprintf(format, args...))
	}
}

// take returns what was written down since it was last asked, and begins anew.
func (o *oracle) take() (lost, repeated int, wrong []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	lost, repeated, wrong = o.lost, o.repeated, o.wrong
	o.lost, o.repeated, o.wrong = 0, 0, nil
	return lost, repeated, wrong
}

// allowBack says which seq every order has in a database that was restored: one step back to it is right. nil ends it.
func (o *oracle) allowBack(restored map[string]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.restored = restored
}

// mayBack reports whether a step back to a seq is right.
func (o *oracle) mayBack(order string, seq int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	to, ok := o.restored[order]
	return ok && to == seq
}

// mayGo reports whether an order may be gone: a restored database does not know it.
func (o *oracle) mayGo(order string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, there := o.restored[order]
	return o.restored != nil && !there
}
