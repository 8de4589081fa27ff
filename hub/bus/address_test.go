package bus

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		url  string
		want address
	}{
		{"redis://r1", address{hosts: []string{"r1:6379"}}},
		{"rediss://me:p%40ss@r1:7000/3", address{tls: true, user: "me", password: "p@ss", db: 3, hosts: []string{"r1:7000"}}},
		{"redis://:secret@[::1]:7000?db=2", address{password: "secret", db: 2, hosts: []string{"[::1]:7000"}}},
		{"redis://[::1]", address{hosts: []string{"[::1]:6379"}}},
		{"redis+cluster://:s@r1:1,r2,r3:3/0", address{kind: cluster, password: "s", hosts: []string{"r1:1", "r2:6379", "r3:3"}}},
		{"rediss+cluster://r1", address{kind: cluster, tls: true, hosts: []string{"r1:6379"}}},
		{"redis+sentinel://me:s@s1,s2:5/main?db=4&sentinel_user=u&sentinel_password=p", address{
			kind: sentinel, user: "me", password: "s", db: 4, master: "main", sentinelUser: "u", sentinelPassword: "p",
			hosts: []string{"s1:26379", "s2:5"},
		}},
	} {
		got, err := parseAddress(c.url)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is %+v, %v", c.url, got, err)
		}
	}
}

// What is wrong with a URL is said in a sentence, and never with the password in it.
func TestParseAddress_Refuses(t *testing.T) {
	for url, says := range map[string]string{
		"r1:6379":                                    "must begin with",
		"http://u:secret@r1":                         "must be redis or rediss",
		"redis+ring://u:secret@r1":                   "only +cluster and +sentinel",
		"redis://u:secret@":                          "must be a host",
		"redis://u:secret@r1:port":                   "must be a host",
		"redis://u:secret@r1:70000":                  "must be a host",
		"redis://u:secret%@r1":                       "write %25",
		"redis://u:secret@r1,r2":                     "several hosts",
		"redis://u:secret@r1/one":                    "names no database",
		"redis+cluster://u:secret@r1/1":              "database 0 only",
		"redis+sentinel://u:secret@s1":               "name of the primary",
		"redis://u:secret@r1?pool=5":                 "means nothing here",
		"redis://u:secret@r1?secret=5":               "means nothing here",
		"redis://u:secret@r1/secret":                 "names no database",
		"secret://r1":                                "must be redis or rediss",
		"redis+secret://r1":                          "only +cluster",
		"redis://u:sec/secret@r1":                    "write / as %2F",
		"redis://u:1234/secret@r1":                   "write / as %2F",
		"redis://u:1234?secret@r1":                   "? as %3F",
		"redis+sentinel://u:1234/secret@s1/main":     "write / as %2F",
		"redis://u:secretr1":                         "@ as %40",
		"redis://u:secret:6379":                      "must be a host",
		"redis://:secret:r1:6379":                    "must be a host",
		"redis://sec%ret#secret!":                    "must be a host",
		"redis://u:secret@[u:secret]":                "must be a host",
		"redis://u:secret@[r1]:6379":                 "must be a host",
		"redis://u:secret@::1":                       "an IPv6 address in [ ]",
		"redis+cluster://u:secret@r1?sentinel_user=": "means nothing here",
	} {
		_, err := parseAddress(url)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", url, err, says)
		}
	}
}
