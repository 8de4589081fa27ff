package auth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"doorbell/orders"
)

func TestBearer(t *testing.T) {
	longest := strings.Repeat("a", maxToken-len("Bearer "))
	for name, tc := range map[string]struct {
		lines []string
		want  string // "" = refused
	}{
		"Plain":            {[]string{"Bearer abc.def-_"}, "abc.def-_"},
		"SchemeLowerCase":  {[]string{"bearer abc"}, "abc"},
		"SchemeUpperCase":  {[]string{"BEARER abc"}, "abc"},
		"MoreSpaces":       {[]string{"Bearer   abc "}, "abc"},
		"Longest":          {[]string{"Bearer " + longest}, longest},
		"TooLong":          {[]string{"Bearer " + longest + "a"}, ""},
		"None":             {nil, ""},
		"Empty":            {[]string{""}, ""},
		"NoToken":          {[]string{"Bearer"}, ""},
		"NoTokenButSpace":  {[]string{"Bearer "}, ""},
		"OtherScheme":      {[]string{"Basic abc"}, ""},
		"SchemeRunsOn":     {[]string{"Bearerabc"}, ""},
		"Tab":              {[]string{"Bearer\tabc"}, ""},
		"TwoHeaders":       {[]string{"Bearer abc", "Bearer abc"}, ""},
		"TwoTokens":        {[]string{"Bearer abc def"}, ""},
		"ListOfTwo":        {[]string{"Bearer abc, Bearer def"}, ""},
		"CharactersAround": {[]string{`Bearer "abc"`}, ""},
		"Unicode":          {[]string{"Bearer äbc"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/v1/orders?access_token=query&token=query", nil)
			r.Header["Authorization"] = tc.lines
			got, err := Bearer(r)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Fatalf("token %q, error %v", got, err)
			}
			if err != nil && orders.KindOf(err) != orders.Unauthenticated {
				t.Errorf("kind of %v", err)
			}
		})
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer abc")
	f.Add("bEARER  a.b.c ")
	f.Add("Basic YTpi")
	f.Fuzz(func(t *testing.T, line string) {
		token, err := bearer(line)
		if err != nil {
			if token != "" || orders.KindOf(err) != orders.Unauthenticated {
				t.Errorf("token %q with %v", token, err)
			}
			return
		}
		if again, err := bearer("Bearer " + token); err != nil || again != token {
			t.Errorf("%q becomes %q, %v", token, again, err)
		}
		if strings.Trim(line[len("Bearer "):], " ") != token {
			t.Errorf("%q gives %q", line, token)
		}
	})
}
