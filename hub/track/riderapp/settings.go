package riderapp

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// The doors, as paths below the public URL.
const (
	DoorOwnTracks = "/v1/ingest/owntracks"
	DoorOsmAnd    = "/v1/ingest/osmand/" // the token follows
	DoorOverland  = "/v1/ingest/overland"
	DoorGPSLogger = "/v1/ingest/gpslogger"
)

// Rider is whose phone is to be set up. Every setting below holds the token: whoever sees it can post positions as this
// rider until the device is revoked, so it is shown once and never logged.
type Rider struct {
	PublicURL string // of this server, without a path: https://bell.example
	Device    string // what the app shall call the phone: letters, digits, - and _
	Token     string // the device's secret
}

func (r Rider) door(path string) string { return strings.TrimSuffix(r.PublicURL, "/") + path }

// OverlandLink opens Overland and sets server, token and device.
func (r Rider) OverlandLink() string {
	return "overland://setup?url=" + url.QueryEscape(r.door(DoorOverland)) + "&token=" + url.QueryEscape(r.Token) +
		"&device_id=" + url.QueryEscape(r.Device)
}

// TraccarClientLink sets Traccar Client up, from a QR code or a link. The app takes what stands before the question mark as
// its server, so the token is in the path.
func (r Rider) TraccarClientLink() string {
	return r.door(DoorOsmAnd) + url.PathEscape(r.Token) + "?id=" + url.QueryEscape(r.Device) +
		"&accuracy=high&interval=5&distance=10&heartbeat=30&buffer=true&stop_detection=false"
}

// ownTracksSettings is a message of type configuration: of all settings, those that matter here.
type ownTracksSettings struct {
	Type     string `json:"_type"`
	Mode     int    `json:"mode"` // 3: HTTP
	URL      string `json:"url"`
	Auth     bool   `json:"auth"`
	Username string `json:"username"`
	Password string `json:"password"`
	DeviceID string `json:"deviceId"`
	Tid      string `json:"tid"`

	Monitoring          int  `json:"monitoring"`              // 2: move mode
	MoveInterval        int  `json:"moveModeLocatorInterval"` // seconds; Android
	Interval            int  `json:"locatorInterval"`         // seconds; iOS takes it in move mode
	Displacement        int  `json:"locatorDisplacement"`     // metres
	RemoteCommands      bool `json:"cmd"`
	RemoteConfiguration bool `json:"remoteConfiguration"`
	ExtendedData        bool `json:"extendedData"`
	AllowRemoteLocation bool `json:"allowRemoteLocation"`
}

// OwnTracksFile is a settings file (.otrc) that OwnTracks opens.
func (r Rider) OwnTracksFile() []byte {
	b, _ := json.MarshalIndent(r.ownTracks(), "", "  ") // strings and numbers: nothing can fail
	return append(b, '\n')
}

// OwnTracksLink opens OwnTracks with the same settings.
func (r Rider) OwnTracksLink() string {
	b, _ := json.Marshal(r.ownTracks())
	return "owntracks:///config?inline=" + url.QueryEscape(base64.StdEncoding.EncodeToString(b))
}

func (r Rider) ownTracks() ownTracksSettings {
	tid := []rune(r.Device)
	return ownTracksSettings{
		Type: "configuration", Mode: 3, URL: r.door(DoorOwnTracks),
		Auth: true, Username: r.Device, Password: r.Token, DeviceID: r.Device, Tid: string(tid[max(0, len(tid)-2):]),
		Monitoring: 2, MoveInterval: 5, Interval: 5, Displacement: 10, ExtendedData: true,
	}
}

// GPSLoggerURL is what goes into "Log to custom URL"; name and password of HTTP Basic are device and token.
func (r Rider) GPSLoggerURL() string {
	return r.door(DoorGPSLogger) + "?id=" + url.QueryEscape(r.Device) +
		"&lat=%LAT&lon=%LON&timestamp=%TIMESTAMP&acc=%ACC&spd=%SPD&dir=%DIR&alt=%ALT&batt=%BATT"
}

// GPSLoggerProfile is a profile file that GPSLogger loads: a line for each setting.
func (r Rider) GPSLoggerProfile() string {
	return strings.Join([]string{
		"log_customurl_enabled=true",
		"log_customurl_url=" + r.GPSLoggerURL(),
		"log_customurl_method=POST",
		"log_customurl_basicauth_username=" + r.Device,
		"log_customurl_basicauth_password=" + r.Token,
		"log_customurl_discard_offline_locations_enabled=false", // what was ridden offline belongs to the track
		"time_before_logging=5",
		"distance_before_logging=0",
		"",
	}, "\n")
}
