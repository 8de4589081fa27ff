package web

import (
	"fmt"
	"strings"

	"rsc.io/qr"

	"doorbell/hub/track/riderapp"
	"doorbell/web/api"
)

// appSettings is how each rider app is set up to post with a device's token. All of it is as secret as the token.
func appSettings(publicURL, courier, token string) ([]api.AppSettings, error) {
	r := riderapp.Rider{PublicURL: publicURL, Device: appName(courier), Token: token}
	apps := []api.AppSettings{
		{App: "owntracks", Link: r.OwnTracksLink(), File: api.AppFile{Name: r.Device + ".otrc", Text: string(r.OwnTracksFile())}},
		{App: "traccar", Link: r.TraccarClientLink()},
		{App: "overland", Link: r.OverlandLink()},
		{
			App: "gpslogger", Link: r.GPSLoggerURL(), Username: r.Device, Password: token,
			File: api.AppFile{Name: r.Device + ".properties", Text: r.GPSLoggerProfile()},
		},
	}
	for i := range apps {
		text := apps[i].Link
		if apps[i].Password != "" { // the link is not all
			text = apps[i].File.Text
		}
		code, err := qr.Encode(text, qr.L) // the lowest of its levels: it is read from a screen, and the text is long
		if err != nil {
			return nil, fmt.Errorf("QR code for %s: %w", apps[i].App, err)
		}
		code.Scale = 4
		apps[i].QR = code.PNG()
	}
	return apps, nil
}

// appName is what apps call the phone: the courier's id in the characters that all of them take.
func appName(courier string) string {
	return strings.Map(func(c rune) rune {
		if c == '.' || c == ':' {
			return '-'
		}
		return c
	}, courier)
}
