package orders

import (
	"net/url"
	"strings"
	"unicode"
)

// MaxURL is the longest callback URL, in bytes.
const MaxURL = 2048

// NormaliseURL checks a callback URL and strips one trailing slash, so that a path can be put behind it by plain
// concatenation, as the OpenAPI callback expression does. It must be absolute https on port 443 or 8443, without query,
// fragment and user. open is for development: any port and plain http. A private address is taken here and refused
// when it is dialled. Errors: Invalid, without saying more than the rule.
func NormaliseURL(raw string, open bool) (string, error) {
	bad := func(why string) (string, error) {
		e := Errorf(Invalid, "%s", why)
		e.Fields = []FieldError{{"/notificationUrl", why}}
		return "", e
	}
	if len(raw) > MaxURL {
		return bad("longer than 2048 bytes")
	}
	for _, r := range raw {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == '\\' || r > unicode.MaxASCII {
			return bad("must be printable ASCII without spaces; write other hosts as punycode")
		}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || !u.IsAbs() || u.Opaque != "" || u.Hostname() == "":
		return bad("must be an absolute URL with a host")
	case u.Scheme != "https" && !(open && u.Scheme == "http"):
		return bad("must be https")
	case u.User != nil:
		return bad("must not name a user")
	case u.RawQuery != "" || u.ForceQuery:
		return bad("must not have a query")
	case strings.Contains(raw, "#"):
		return bad("must not have a fragment")
	case strings.HasSuffix(u.Host, ":"):
		return bad("the port is empty")
	case !open && u.Port() != "" && u.Port() != "443" && u.Port() != "8443":
		return bad("the port must be 443 or 8443")
	}
	return strings.TrimSuffix(raw, "/"), nil
}
