package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// side is a column of the screen.
type side int

const (
	customerSide side = iota
	merchantSide
	courierSide
	officeSide // dispatcher, payment provider
	sides
)

var sideNames = [sides]string{"CUSTOMER", "MERCHANT", "COURIER", "DISPATCH / PAYMENT"}

// columnWidth fits the longest event type with its status: four columns and the time in 140 characters.
const columnWidth = 33

// screen writes what each side does (>) and sees (<), with the seconds since the start.
type screen struct {
	mu    sync.Mutex // guards the following
	out   io.Writer
	start time.Time
}

// title begins a story.
func (s *screen) title(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "\n── %s\n", fmt.Sprintf(format, args...))
	fmt.Fprintf(s.out, "%8s", "")
	for _, n := range sideNames {
		fmt.Fprintf(s.out, "  %-*s", columnWidth, n)
	}
	fmt.Fprintln(s.out)
}

// does writes what a side does.
func (s *screen) does(at side, format string, args ...any) {
	s.line(at, "> "+fmt.Sprintf(format, args...))
}

// sees writes what a side was told.
func (s *screen) sees(at side, format string, args ...any) {
	s.line(at, "< "+fmt.Sprintf(format, args...))
}

func (s *screen) line(at side, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%7.3fs%s%s\n", time.Since(s.start).Seconds(), strings.Repeat(" ", 2+int(at)*(columnWidth+2)), text)
}

// say writes a line of plain text.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}
