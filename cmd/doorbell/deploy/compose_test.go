package deploy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// project reads compose.yaml as Compose does, with all profiles.
func project(t *testing.T, env map[string]string) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	p, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: dir, Environment: env, ConfigFiles: types.ToConfigFiles([]string{filepath.Join(dir, "compose.yaml")}),
	}, func(o *loader.Options) { o.Profiles = []string{"*"} })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// once is what runs to its end before the others begin.
const once = "setup"

func TestComposeServices(t *testing.T) {
	p := project(t, nil)
	want := []string{"api", "callbacks", "gateway", "grafana", "hub", "postgres", "prometheus", "redis", "setup"}
	if got := p.ServiceNames(); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("services %v, want %v", got, want)
	}
	for name, s := range p.Services {
		t.Run(name, func(t *testing.T) {
			if s.ContainerName != "" {
				t.Error("container_name: a name can be had once, so the service cannot be scaled or rolled")
			}
			if uid, _, _ := strings.Cut(s.User, ":"); uid == "" || uid == "0" || uid == "root" {
				t.Errorf("user %q: run it as somebody who is not root", s.User)
			}
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged {
				t.Error("it may change its own files or has rights of the system: read_only, cap_drop: [ALL], no cap_add")
			}
			if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
				t.Error("security_opt: no-new-privileges:true is missing")
			}
			limits := (*types.Resource)(nil)
			if s.Deploy != nil {
				limits = s.Deploy.Resources.Limits
			}
			if limits == nil || limits.MemoryBytes == 0 || limits.NanoCPUs == 0 || limits.Pids == 0 {
				t.Error("it may take all of the machine: set deploy.resources.limits cpus, memory, pids")
			}
			if name == once {
				if s.Restart != "no" {
					t.Errorf("restart %q: it runs once", s.Restart)
				}
			} else {
				if s.Restart != "unless-stopped" {
					t.Errorf("restart %q: it does not come back", s.Restart)
				}
				if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Test[0] != "CMD" || s.HealthCheck.Interval == nil || s.HealthCheck.Timeout == nil {
					t.Error("healthcheck: a test that needs no shell, an interval and a timeout")
				}
			}
			for _, port := range s.Ports {
				if name != "gateway" && port.HostIP != "127.0.0.1" {
					t.Errorf("port %s is published to everybody: only the gateway's is", port.Published)
				}
				if name == "gateway" && port.Target != 8443 && port.HostIP != "127.0.0.1" {
					t.Errorf("port %d is published to everybody, and is not the one with TLS", port.Target)
				}
			}
			for _, v := range s.Volumes {
				if v.Type != types.VolumeTypeBind {
					continue
				}
				if _, err := os.Stat(v.Source); err != nil {
					t.Error(err)
				}
				if !v.ReadOnly {
					t.Errorf("%s could be written from within", v.Source)
				}
			}
			for dep, d := range s.DependsOn {
				if wanted := types.ServiceConditionHealthy; dep != once && d.Condition != wanted {
					t.Errorf("waits until %s is %s, want %s", dep, d.Condition, wanted)
				} else if dep == once && d.Condition != types.ServiceConditionCompletedSuccessfully {
					t.Errorf("waits until %s is %s", dep, d.Condition)
				}
			}
			monitoring := name == "prometheus" || name == "grafana"
			if got := slices.Contains(s.Profiles, "monitoring"); got != monitoring || len(s.Profiles) > 1 {
				t.Errorf("profiles %v", s.Profiles)
			}
			if s.Logging == nil || s.Logging.Options["max-size"] == "" {
				t.Error("its log may fill the disk: logging with max-size")
			}
		})
	}
}

// TestComposeImages wants every image built from here or at one exact version.
func TestComposeImages(t *testing.T) {
	exact := regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$`)
	for name, s := range project(t, nil).Services {
		if s.Build == nil {
			if !exact.MatchString(s.Image) {
				t.Errorf("%s: image %q is not at one exact version, so two machines may run different ones", name, s.Image)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.Build.Target == "" || !strings.Contains(readFile(t, repository, s.Build.Dockerfile), " AS "+s.Build.Target+"\n") {
			t.Errorf("%s: the Dockerfile has no target %q", name, s.Build.Target)
		}
	}
	for _, line := range strings.Split(readFile(t, "..", "Dockerfile"), "\n") {
		if from, ok := strings.CutPrefix(line, "FROM "); ok {
			if image, _, _ := strings.Cut(from, " "); image != "scratch" && !exact.MatchString(image) {
				t.Errorf("Dockerfile: image %q is not at one exact version", image)
			}
		}
	}
}

// TestComposeScales reads what has to hold for nodes to be added by a number alone.
func TestComposeScales(t *testing.T) {
	p := project(t, nil)
	for name, replicas := range map[string]int{"api": 2, "hub": 2, "callbacks": 1} {
		s := p.Services[name]
		if s.Deploy.Replicas == nil || *s.Deploy.Replicas != replicas {
			t.Errorf("%s: %v replicas, want %d", name, s.Deploy.Replicas, replicas)
		}
		if len(s.Ports) > 0 || s.Hostname != "" || s.NetworkMode != "" {
			t.Errorf("%s: a port, host name or network of this machine can be had once", name)
		}
		for net, c := range s.Networks {
			if c != nil && (c.Ipv4Address != "" || c.Ipv6Address != "") {
				t.Errorf("%s: a fixed address in %s can be had once", name, net)
			}
		}
		if grace := time.Duration(*s.StopGracePeriod); grace < 28*time.Second {
			t.Errorf("%s: is killed %v after it was told to stop, and may need 28 s", name, grace)
		}
		if s.Ulimits["nofile"] == nil {
			t.Errorf("%s: each socket is an open file: ulimits nofile", name)
		}
	}
	p = project(t, map[string]string{"HUB_NODES": "4"})
	if got := *p.Services["hub"].Deploy.Replicas; got != 4 {
		t.Errorf("HUB_NODES=4 makes %d hub nodes", got)
	}
}

// TestComposeNetworks keeps the ways between services to those that are needed.
func TestComposeNetworks(t *testing.T) {
	p := project(t, nil)
	joined := func(a, b string) bool {
		for n := range p.Services[a].Networks {
			if _, ok := p.Services[b].Networks[n]; ok {
				return true
			}
		}
		return false
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"gateway", "api", true}, {"gateway", "hub", true}, {"gateway", "postgres", false}, {"gateway", "redis", false},
		{"api", "postgres", true}, {"hub", "redis", true}, {"callbacks", "postgres", true}, {"callbacks", "redis", true},
		{"prometheus", "api", true}, {"prometheus", "callbacks", true}, {"prometheus", "gateway", true}, {"prometheus", "postgres", false},
		{"grafana", "prometheus", true}, {"grafana", "api", false}, {"grafana", "redis", false}, {"grafana", "gateway", false},
	} {
		if got := joined(c.a, c.b); got != c.want {
			t.Errorf("%s reaches %s: %t, want %t", c.a, c.b, got, c.want)
		}
	}
	for _, name := range []string{"redis", "postgres"} {
		for n := range p.Services[name].Networks {
			if !p.Networks[n].Internal {
				t.Errorf("%s is on %s, which leads outside", name, n)
			}
		}
	}
	// A node on two networks with the gateway would have two addresses there, and be given twice the work.
	for _, name := range []string{"api", "hub"} {
		shared := 0
		for n := range p.Services[name].Networks {
			if _, ok := p.Services["gateway"].Networks[n]; ok {
				shared++
			}
		}
		if shared != 1 {
			t.Errorf("%s shares %d networks with the gateway", name, shared)
		}
	}
}

// TestComposeSecrets looks for secrets in plain sight, and for those that a service has and does not need.
func TestComposeSecrets(t *testing.T) {
	p := project(t, nil)
	name := regexp.MustCompile(`(?i)(password|passwd|secret|token|key)`)
	inURL := regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@`)
	needs := map[string][]string{"tokens": {"api", "hub", "callbacks", once}, "database": {"api", "hub", "callbacks", "postgres", once}, "gateway": {"gateway", once}}
	for service, s := range p.Services {
		for k, v := range s.Environment {
			if v == nil {
				continue
			}
			if name.MatchString(k) && !strings.HasPrefix(*v, "/secrets/") || inURL.MatchString(*v) {
				t.Errorf("%s: %s holds a secret in plain: name a file below /secrets", service, k)
			}
		}
		for _, v := range s.Volumes {
			who, secret := needs[v.Source]
			if secret && !slices.Contains(who, service) {
				t.Errorf("%s has the secrets of %s and does not need them", service, v.Source)
			}
			if secret && service != once && !v.ReadOnly {
				t.Errorf("%s could change the secrets of %s", service, v.Source)
			}
		}
	}
}

// TestComposeKnowsTheProgram holds the variables and commands of compose.yaml and the Dockerfile against the program.
func TestComposeKnowsTheProgram(t *testing.T) {
	out, err := exec.Command(filepath.Join(programs, "doorbell"), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile(`\$(DOORBELL_[A-Z_]+)`).FindAllStringSubmatch(string(out), -1)
	exists := func(v string) bool {
		return slices.ContainsFunc(known, func(m []string) bool { return m[1] == v })
	}
	if !exists("DOORBELL_LISTEN") {
		t.Fatal("the program's help names no variables")
	}
	for service, s := range project(t, nil).Services {
		for k := range s.Environment {
			if strings.HasPrefix(k, "DOORBELL_") && !exists(k) {
				t.Errorf("%s: the program does not know %s", service, k)
			}
		}
	}
	for _, v := range regexp.MustCompile(`DOORBELL_[A-Z_]+`).FindAllString(readFile(t, "..", "Dockerfile"), -1) {
		if !exists(v) {
			t.Errorf("Dockerfile: the program does not know %s", v)
		}
	}
	if out, err := exec.Command(filepath.Join(programs, "doorbell"), "health", "--help").CombinedOutput(); err != nil {
		t.Errorf("the health check's command: %v: %s", err, out)
	}
}

// TestComposeGivesTheGatewayItsEnvironment holds the variables that haproxy.cfg reads against those that it is given.
func TestComposeGivesTheGatewayItsEnvironment(t *testing.T) {
	given := project(t, nil).Services["gateway"].Environment
	read := regexp.MustCompile(`\$\{(GATEWAY_[A-Z_]+)\}`).FindAllStringSubmatch(readFile(t, "haproxy.cfg"), -1)
	if len(read) == 0 {
		t.Fatal("haproxy.cfg reads no variables")
	}
	for _, m := range read {
		if v := given[m[1]]; v == nil || *v == "" {
			t.Errorf("haproxy.cfg reads %s, which compose.yaml does not set", m[1])
		}
	}
	for k := range given {
		if !slices.ContainsFunc(read, func(m []string) bool { return m[1] == k }) {
			t.Errorf("compose.yaml sets %s, which haproxy.cfg does not read", k)
		}
	}
}
