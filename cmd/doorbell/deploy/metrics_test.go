package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"doorbell/hub"
	"doorbell/hub/bus"
	"doorbell/hub/track/ride"
	"doorbell/orders/store/pgtest"
	"doorbell/orders/store/postgres"
	"doorbell/web"
)

// metricNames is the labels of each metric that there is, by the name that a query uses.
type metricNames map[string][]string

// recorder is a registry that writes down what is registered, since a scrape does not show what has not counted yet.
type recorder metricNames

var description = regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)

func (r recorder) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 16)
	go func() { c.Describe(descs); close(descs) }()
	for d := range descs {
		m := description.FindStringSubmatch(d.String())
		var labels []string
		for l := range strings.SplitSeq(m[2], ",") {
			if l != "" {
				labels = append(labels, l)
			}
		}
		r[m[1]] = labels
		switch c.(type) {
		case *prometheus.HistogramVec, prometheus.Histogram:
			r[m[1]+"_count"], r[m[1]+"_sum"], r[m[1]+"_bucket"] = labels, labels, append(labels, "le")
			delete(r, m[1]) // by itself it is no series
		}
	}
	return nil
}

func (r recorder) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = r.Register(c)
	}
}

func (recorder) Unregister(prometheus.Collector) bool { return true }

// registered is what the packages of a node register.
func registered(t *testing.T) metricNames {
	t.Helper()
	all := recorder{}
	h := hub.New(hub.Config{Registerer: all})
	if _, err := web.New(web.Config{Registerer: all, Hub: h}); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.NewRedis(bus.RedisConfig{URL: "redis://127.0.0.1:1", Registerer: all}); err != nil {
		t.Fatal(err)
	}
	ride.New(ride.Config{Registerer: all})
	s, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.Start(t).Database(t), Node: "deploy", Registerer: all})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return metricNames(all)
}

var series = regexp.MustCompile(`(?m)^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? `)

// scraped adds what a scrape shows.
func (m metricNames) scraped(text string) {
	for _, s := range series.FindAllStringSubmatch(text, -1) {
		for _, l := range labelNames(s[2]) {
			if !slices.Contains(m[s[1]], l) {
				m[s[1]] = append(m[s[1]], l)
			}
		}
		if _, ok := m[s[1]]; !ok {
			m[s[1]] = nil
		}
	}
}

var matcher = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!=|!~|=)`)

func labelNames(matchers string) (names []string) {
	for _, m := range matcher.FindAllStringSubmatch(quoted.ReplaceAllString(matchers, ""), -1) {
		names = append(names, m[1])
	}
	return names
}

var (
	quoted   = regexp.MustCompile(`"[^"]*"`)
	selector = regexp.MustCompile(`\b((?:doorbell|haproxy|process|go)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?`)
	grouped  = regexp.MustCompile(`\bby \(([^)]*)\)`)
	word     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
)

// ofTarget are the labels that Prometheus adds to every series.
var ofTarget = []string{"job", "instance"}

// promQL are the words of the query language that are used here. A word that is neither here nor a metric is a mistake.
var promQL = []string{
	"absent", "and", "by", "count", "histogram_quantile", "increase", "max", "min", "on", "or", "rate", "sum", "topk", "unless",
}

// wrongIn says in words what an expression names that is not there, and which labels its result has.
func (m metricNames) wrongIn(expr string) (wrong, labels []string) {
	var has []string // labels of all series of the expression
	bare := quoted.ReplaceAllString(expr, `""`)
	rest := strings.NewReplacer("$__rate_interval", "").Replace(bare)
	for _, s := range selector.FindAllStringSubmatch(bare, -1) {
		known, ok := m[s[1]]
		if !ok && s[1] != "up" {
			wrong = append(wrong, "there is no metric "+s[1])
			continue
		}
		known = slices.Concat(known, ofTarget)
		has = append(has, known...)
		for _, l := range labelNames(s[2]) {
			if !slices.Contains(known, l) {
				wrong = append(wrong, s[1]+" has no label "+l)
			}
		}
	}
	for _, g := range grouped.FindAllStringSubmatch(bare, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			l = strings.TrimSpace(l)
			labels = append(labels, l)
			if !slices.Contains(has, l) {
				wrong = append(wrong, "nothing in it has the label "+l)
			}
		}
	}
	rest = grouped.ReplaceAllString(selector.ReplaceAllString(rest, ""), "")
	rest = regexp.MustCompile(`\[[^\]]*\]`).ReplaceAllString(rest, "")
	for _, w := range word.FindAllString(rest, -1) {
		if !slices.Contains(promQL, w) {
			wrong = append(wrong, w+" is no metric, and no word of the query language that is known here")
		}
	}
	if len(labels) == 0 && !strings.Contains(bare, "sum(") && !strings.Contains(bare, "absent(") {
		labels = slices.Clone(ofTarget)
	}
	if len(has) == 0 && len(wrong) == 0 {
		wrong = append(wrong, "it names no metric")
	}
	return wrong, labels
}

// TestMonitoringNames holds every name in the dashboard and the alert rules against those that the code registers and
// that the gateway shows, and those against each other.
func TestMonitoringNames(t *testing.T) {
	t.Parallel()
	names := registered(t)
	in := install(t, 1, 1)
	in.place(in.open())
	for _, n := range in.nodes {
		text := n.metrics()
		for _, s := range series.FindAllStringSubmatch(text, -1) {
			if _, ok := names[s[1]]; !ok && strings.HasPrefix(s[1], "doorbell_") {
				t.Errorf("%s shows %s, which is registered by a package that this test does not ask: add it to registered", n.name, s[1])
			}
		}
		names.scraped(text)
	}
	names.scraped(in.gate.metrics(t))

	t.Run("Dashboard", func(t *testing.T) { names.checkDashboard(t) })
	t.Run("Alerts", func(t *testing.T) { names.checkAlerts(t) })
}

func (g *gateway) metrics(t *testing.T) string {
	t.Helper()
	res, err := http.Get(g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (m metricNames) checkDashboard(t *testing.T) {
	type query struct {
		Expr, LegendFormat, TextFormat string
		Datasource                     struct{ UID string }
	}
	var board struct {
		UID         string
		Annotations struct{ List []query }
		Panels      []struct {
			ID                       int
			Title, Description, Type string
			GridPos                  struct{ X, Y, W, H int }
			Targets                  []query
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "grafana", "dashboards", "doorbell.json")), &board); err != nil {
		t.Fatal(err)
	}
	source := readFile(t, "grafana", "provisioning", "datasources", "prometheus.yml")
	check := func(where string, q query) {
		wrong, labels := m.wrongIn(q.Expr)
		for _, w := range wrong {
			t.Errorf("%s: %s: %s", where, w, q.Expr)
		}
		for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat+q.TextFormat, -1) {
			if !slices.Contains(labels, l[1]) {
				t.Errorf("%s: the legend shows %s, which the result does not have: %s", where, l[1], q.Expr)
			}
		}
		if !strings.Contains(source, "uid: "+q.Datasource.UID+"\n") {
			t.Errorf("%s: there is no data source %q", where, q.Datasource.UID)
		}
	}
	if len(board.Panels) < 10 {
		t.Errorf("%d panels", len(board.Panels))
	}
	ids, places := map[int]bool{}, map[[2]int]bool{}
	for _, p := range board.Panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 || ids[p.ID] {
			t.Errorf("panel %d %q: it needs a number of its own, a title, a description and something to show", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if places[[2]int{x, y}] || x >= 24 {
					t.Fatalf("panel %q lies on another or beside the board", p.Title)
				}
				places[[2]int{x, y}] = true
			}
		}
		for _, q := range p.Targets {
			check(p.Title, q)
		}
	}
	for _, q := range board.Annotations.List {
		check("annotation", q)
	}
}

func (m metricNames) checkAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] {
				t.Errorf("alert %q has no name of its own", r.Alert)
			}
			seen[r.Alert] = true
			wrong, labels := m.wrongIn(r.Expr)
			for _, w := range wrong {
				t.Errorf("%s: %s", r.Alert, w)
			}
			if s := r.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s: severity %q is neither page nor ticket", r.Alert, s)
			}
			summary := r.Annotations["summary"]
			for _, l := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(summary, -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: the summary shows %s, which the result does not have", r.Alert, l[1])
				}
			}
			if !saysWhatToDo(summary) {
				t.Errorf("%s: the summary has to say what is wrong and then what to do (%s): %q",
					r.Alert, strings.Join(slices.Sorted(maps.Keys(deeds)), ", "), summary)
			}
			for _, other := range regexp.MustCompile(`\b(?:If|\() ?([A-Z][a-z]+[A-Z]\w+)`).FindAllStringSubmatch(summary, -1) {
				if !strings.Contains(readFile(t, "alerts.yml"), "alert: "+other[1]+"\n") {
					t.Errorf("%s: there is no alert %s", r.Alert, other[1])
				}
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d alerts", len(seen))
	}
}

// deeds are words with which a summary tells somebody to do something.
var deeds = map[string]bool{"look": true, "see": true, "add": true, "start": true, "compare": true, "raise": true, "report": true}

// saysWhatToDo reports whether a text is at least two sentences, of which a later one tells its reader to do something.
func saysWhatToDo(summary string) bool {
	_, rest, found := strings.Cut(summary, ". ")
	for _, w := range word.FindAllString(strings.ToLower(rest), -1) {
		if found && deeds[w] {
			return true
		}
	}
	if _, rest, found = strings.Cut(summary, ": "); found {
		for _, w := range word.FindAllString(strings.ToLower(rest), -1) {
			if deeds[w] {
				return true
			}
		}
	}
	return false
}

// TestPrometheusFindsTheNodes holds what is collected against what compose.yaml runs.
func TestPrometheusFindsTheNodes(t *testing.T) {
	var file struct {
		Rules  []string `yaml:"rule_files"`
		Scrape []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names   []string
				Type    string
				Port    int
				Refresh string `yaml:"refresh_interval"`
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "prometheus.yml")), &file); err != nil {
		t.Fatal(err)
	}
	p := project(t, nil)
	want := map[string]string{"gateway": *p.Services["gateway"].Environment["GATEWAY_ADMIN"]}
	for _, role := range []string{"api", "hub", "callbacks"} {
		want[role] = *p.Services[role].Environment["DOORBELL_ADMIN"]
	}
	for _, s := range file.Scrape {
		if len(s.DNS) != 1 || !slices.Equal(s.DNS[0].Names, []string{s.Job}) || s.DNS[0].Type != "A" {
			t.Errorf("%s is not found by the DNS name of its service", s.Job)
			continue
		}
		if got := fmt.Sprint(":", s.DNS[0].Port); got != want[s.Job] {
			t.Errorf("%s is collected from %s and listens on %s", s.Job, got, want[s.Job])
		}
		delete(want, s.Job)
	}
	if len(want) > 0 {
		t.Errorf("not collected: %v", want)
	}
	for _, r := range file.Rules {
		mounted := slices.ContainsFunc(p.Services["prometheus"].Volumes, func(v types.ServiceVolumeConfig) bool { return strings.HasSuffix(v.Target, "/"+r) })
		if !mounted {
			t.Errorf("prometheus.yml reads %s, which compose.yaml does not put there", r)
		}
	}
}
