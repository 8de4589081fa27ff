package orders

import "time"

// TimeFormat is how times look outside: RFC 3339, UTC, milliseconds.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// Millis is a time that encodes as TimeFormat. The zero time encodes as null; give such fields omitzero.
type Millis time.Time

// MarshalJSON encodes m as TimeFormat.
func (m Millis) MarshalJSON() ([]byte, error) {
	if time.Time(m).IsZero() {
		return []byte("null"), nil
	}
	b := make([]byte, 0, len(TimeFormat)+2)
	return append(appendTime(append(b, '"'), time.Time(m)), '"'), nil
}

// UnmarshalJSON reads any RFC 3339 time; null is the zero time.
func (m *Millis) UnmarshalJSON(b []byte) error { return (*time.Time)(m).UnmarshalJSON(b) }

// IsZero lets omitzero leave m out.
func (m Millis) IsZero() bool { return time.Time(m).IsZero() }

// appendTime writes t as TimeFormat, several times faster than the format's own reading would be.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, TimeFormat)
	}
	b = digits(b, year/100)
	b = digits(b, year%100)
	b = digits(append(b, '-'), int(month))
	b = digits(append(b, '-'), day)
	b = digits(append(b, 'T'), hour)
	b = digits(append(b, ':'), minute)
	b = digits(append(b, ':'), second)
	ms := t.Nanosecond() / 1e6
	b = append(b, '.', byte('0'+ms/100))
	return append(digits(b, ms%100), 'Z')
}

// digits writes a number below 100 with two digits.
func digits(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }
