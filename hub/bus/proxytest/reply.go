package proxytest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
)

// OnReply is handed every whole reply of a Redis server (RESP2, RESP3 too) on its way to the client, as bytes of its own
// that it may keep, and the number of the connection, counted from 1 as they were made. It returns what goes on instead:
// nothing drops the reply, twice the same repeats it, and one that it kept and returns with a later one is reordered.
// Calls never run at the same time, whatever the connections.
type OnReply func(reply []byte, conn int) [][]byte

// Pass is the OnReply that changes nothing.
func Pass(reply []byte, _ int) [][]byte { return [][]byte{reply} }

// OnReply sets what is done to the replies of connections made from now on, and of those that were made since OnReply
// was first called. Earlier ones are not looked into, since the middle of a stream does not show where a reply begins:
// where a connection is to be broken only later, call OnReply(Pass) before it is made. A target that does not speak the
// Redis protocol has its connections closed.
func (p *Proxy) OnReply(f OnReply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onReply = f
}

// Message takes apart a reply that is a message of pub/sub (message, smessage, pmessage). ok is false for any other,
// among them the answers to SUBSCRIBE and PING.
func Message(reply []byte) (channel string, payload []byte, ok bool) {
	words, err := bulks(reply)
	if err != nil || len(words) < 3 {
		return "", nil, false
	}
	switch kind := string(words[0]); {
	case len(words) == 3 && (kind == "message" || kind == "smessage"), len(words) == 4 && kind == "pmessage":
		return string(words[len(words)-2]), words[len(words)-1], true
	}
	return "", nil, false
}

// bulks is the elements of a flat array of bulk strings.
func bulks(reply []byte) (out [][]byte, err error) {
	r := bufio.NewReader(bytes.NewReader(reply))
	head, err := r.ReadBytes('\n')
	if err != nil || head[0] != '*' && head[0] != '>' {
		return nil, io.ErrUnexpectedEOF
	}
	n, err := count(head)
	for i := 0; i < n && err == nil; i++ {
		var element []byte
		if element, err = readReply(r, nil); err == nil && element[0] == '$' {
			_, element, _ = bytes.Cut(element, []byte("\r\n"))
			out = append(out, bytes.TrimSuffix(element, []byte("\r\n")))
			continue
		}
		return nil, io.ErrUnexpectedEOF
	}
	return out, err
}

// hooked reads whole replies and gives what OnReply makes of them.
func (l *link) hooked(server net.Conn) func() ([][]byte, error) {
	r := bufio.NewReaderSize(server, chunkSize)
	return func() ([][]byte, error) {
		reply, err := readReply(r, nil)
		if err != nil {
			return nil, err
		}
		l.p.mu.Lock()
		f := l.p.onReply
		l.p.mu.Unlock()
		l.p.hook.Lock()
		defer l.p.hook.Unlock()
		return slices.DeleteFunc(f(reply, l.number), func(b []byte) bool { return len(b) == 0 }), nil
	}
}

// readReply appends one reply to b.
func readReply(r *bufio.Reader, b []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	b = append(b, line...)
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(': // all on one line
		return b, nil
	case '$', '=', '!':
		n, err := count(line)
		if n < 0 || err != nil { // -1 is null
			return b, err
		}
		begin := len(b)
		b = append(b, make([]byte, n+len("\r\n"))...)
		_, err = io.ReadFull(r, b[begin:])
		return b, err
	case '*', '~', '>', '%', '|':
		n, err := count(line)
		if line[0] == '%' || line[0] == '|' {
			n *= 2 // keys and values
		}
		if line[0] == '|' {
			n++ // attributes stand before the reply that they belong to
		}
		for i := 0; i < n && err == nil; i++ {
			b, err = readReply(r, b)
		}
		return b, err
	}
	return nil, fmt.Errorf("%q begins no reply", line)
}

// count is the number on the first line of a reply.
func count(line []byte) (int, error) {
	return strconv.Atoi(string(bytes.TrimSpace(line[1:])))
}
