package callback

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestSign(t *testing.T) {
	now := time.Now()
	body := []byte(`{"eventId":"ord_1:5","name":"宫保鸡丁"}`)
	before := Signing{Secret: NewSecret()}
	rotated := before.Rotate(now)
	headers := func(s Signing, at time.Time) http.Header {
		h := http.Header{}
		sign(h, "ord_1:5", now, body, s.secrets(at))
		return h
	}
	for _, c := range []struct {
		name    string
		signing Signing
		at      time.Time
		old     bool // the secret before verifies
		now     bool // the new one verifies
		count   int
	}{
		{"one secret", before, now, true, false, 1},
		{"during a rotation both sign", rotated, now.Add(RotationOverlap - time.Second), true, true, 2},
		{"after it only the new one", rotated, now.Add(RotationOverlap), false, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := headers(c.signing, c.at)
			for _, v := range []struct {
				secret Secret
				want   bool
			}{{before.Secret, c.old}, {rotated.Secret, c.now}} {
				hook, err := standardwebhooks.NewWebhook(v.secret.Reveal())
				if err != nil {
					t.Fatal(err)
				}
				if err := hook.Verify(body, h); (err == nil) != v.want {
					t.Errorf("the reference library says %v, want verified: %v", err, v.want)
				}
				if err := hook.Verify(append([]byte(" "), body...), h); err == nil {
					t.Error("another body verifies")
				}
			}
			if n := len(strings.Fields(h.Get("webhook-signature"))); n != c.count {
				t.Errorf("%d signatures, want %d", n, c.count)
			}
		})
	}
	t.Run("is HMAC-SHA256 of id, timestamp and body", func(t *testing.T) {
		h := headers(before, now)
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(before.Secret.Reveal(), "whsec_"))
		if err != nil || len(key) != 32 {
			t.Fatalf("a key of %d bytes: %v", len(key), err)
		}
		m := hmac.New(sha256.New, key)
		fmt.Fprintf(m, "ord_1:5.%d.%s", now.Unix(), body)
		if want := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)); h.Get("webhook-signature") != want {
			t.Errorf("%s, want %s", h.Get("webhook-signature"), want)
		}
	})
}

func TestParseSecret(t *testing.T) {
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for text, ok := range map[string]bool{
		of(24): true, of(32): true, of(64): true, of(23): false, of(65): false, "whsec_": false, "": false,
		strings.TrimPrefix(of(32), "whsec_"): false, of(32) + "\n": false, strings.ToUpper(of(32)): false,
	} {
		s, err := ParseSecret(text)
		if (err == nil) != ok {
			t.Errorf("%q: %v, want accepted: %v", text, err, ok)
		}
		if ok && s.Reveal() != text {
			t.Errorf("%q reads back as %q", text, s.Reveal())
		}
	}
}

func TestSecretHides(t *testing.T) {
	s := NewSecret()
	e := Endpoint{Signing: Signing{Secret: s}}
	asJSON, _ := json.Marshal(e)
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v", e, e, e), string(asJSON)} {
		if strings.Contains(shown, strings.TrimPrefix(s.Reveal(), "whsec_")) || strings.Contains(shown, fmt.Sprintf("%d %d %d", s.key[0], s.key[1], s.key[2])) {
			t.Errorf("it shows in %s", shown)
		}
	}
}
