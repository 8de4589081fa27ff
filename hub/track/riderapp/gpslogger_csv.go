package riderapp

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"doorbell/hub/track"
	"doorbell/orders"
)

// isCSV goes by the header line, which the app always writes.
func isCSV(r Request) bool {
	first := []byte("time" + string(separator(r.Body)) + "lat")
	return strings.HasPrefix(r.ContentType, "text/csv") || bytes.HasPrefix(bytes.TrimPrefix(r.Body, byteOrderMark), first)
}

// separator is the one that the header line uses.
func separator(body []byte) rune {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	for _, s := range ";\t|" {
		if bytes.ContainsRune(line, s) {
			return s
		}
	}
	return ','
}

// gpsLoggerCSV reads the app's log file. Where the user chose another separator than the comma, numbers may have decimal
// commas.
func gpsLoggerCSV(r Request) (Post, error) {
	lines := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(r.Body, byteOrderMark)))
	lines.Comma = separator(r.Body)
	lines.FieldsPerRecord = -1
	lines.LazyQuotes = true
	lines.ReuseRecord = true

	header, err := lines.Read()
	if err != nil || len(header) > 100 { // the app's has 23 columns
		return Post{}, orders.Errorf(orders.Invalid, "the file has no header line of GPSLogger's")
	}
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = strings.ToLower(strings.TrimSpace(name))
	}
	if !has(names, latNames) || !has(names, lonNames) || !has(names, timeNames) {
		return Post{}, fieldError(orders.Invalid, "header", "it needs the columns time, lat and lon")
	}
	var points []track.Point
	v := named{}
	for {
		if len(points) >= 2*track.MaxPoints {
			points = append(points[:0], points[track.MaxPoints:]...)
		}
		line, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			points = append(points, track.Unplaced()) // a quote that is never closed: the rest of the file is gone
			break
		}
		clear(v)
		for i := range min(len(line), len(names)) {
			value := strings.TrimSpace(line[i])
			if lines.Comma != ',' && strings.Count(value, ",") == 1 {
				value = strings.Replace(value, ",", ".", 1)
			}
			v[names[i]] = value
		}
		p := track.Unplaced()
		if v.first(timeNames...) != "" { // now is not when a line of a file was written
			p = v.point(0)
		}
		points = append(points, p)
	}
	points = points[max(0, len(points)-track.MaxPoints):]
	return place(r.named().first(deviceNames...), points...), nil
}

func has(names, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(name string) bool { return slices.Contains(names, name) })
}
