package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is everything one run found.
type Report struct {
	Machine     Machine  `json:"machine"`
	Database    string   `json:"database"`      // sqlite or postgres
	FsyncMS     float64  `json:"fsync_ms"`      // to write 4 KiB and sync it, median
	ColdStartMS float64  `json:"cold_start_ms"` // from exec to /readyz, 0 if not started here
	IdleMB      float64  `json:"idle_mb"`       // resident memory before the load
	Users       int      `json:"users"`         // people in the database
	Results     []Result `json:"results"`
}

// Machine is where a run was made.
type Machine struct {
	OS      string  `json:"os"`
	Arch    string  `json:"arch"`
	CPU     string  `json:"cpu"`
	Cores   int     `json:"cores"`
	Load    float64 `json:"load"` // average of the last minute before the run
	Go      string  `json:"go"`
	Version string  `json:"version"` // of the program
}

// Result is what one kind of load came to. Times are in milliseconds.
type Result struct {
	Name        string  `json:"name"`
	Ops         float64 `json:"ops_per_s"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	Max         float64 `json:"max_ms"`
	CPU         float64 `json:"cpu_ms_per_op"`       // processor time of the server, all nodes
	RawLimit    float64 `json:"raw_limit_ops_per_s"` // of RawLimitOf, in the same run
	Ratio       float64 `json:"ratio"`               // ops_per_s / raw_limit_ops_per_s
	RawLimitOf  string  `json:"raw_limit_of"`        // hash, http, or empty
	Hash        string  `json:"hash"`                // parameters of the password hash, where one is computed
	Connections int     `json:"connections"`
	Refused     float64 `json:"refused_per_s"`
	RefusedP99  float64 `json:"refused_p99_ms"`
	Errors      int     `json:"errors"`
	ServerMB    float64 `json:"server_mb"` // resident memory of one node after the load
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func result(name string, l load) Result {
	r := Result{
		Name: name, Ops: l.rate(), P50: ms(quantile(l.good, 0.5)), P99: ms(quantile(l.good, 0.99)), Max: ms(quantile(l.good, 1)),
		Refused: float64(len(l.refused)) / l.took.Seconds(), RefusedP99: ms(quantile(l.refused, 0.99)), Errors: l.failed,
	}
	return r
}

func (r *Result) limit(of string, raw float64) {
	r.RawLimit, r.RawLimitOf = raw, of
	if raw > 0 {
		r.Ratio = r.Ops / raw
	}
}

// ThisMachine describes the machine.
func ThisMachine(version string) Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), Version: version}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(raw), " ")
		m.Load, _ = strconv.ParseFloat(first, 64)
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

// Print writes the report as a table.
func (r Report) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s %s, %d cores, load %.2f before, %s, otl %s\n", r.Machine.OS, r.Machine.CPU, r.Machine.Cores, r.Machine.Load, r.Machine.Go, r.Machine.Version)
	fmt.Fprintf(w, "%s with %d people, one fsync %.2f ms", r.Database, r.Users, r.FsyncMS)
	if r.ColdStartMS > 0 {
		fmt.Fprintf(w, ", cold start %.0f ms", r.ColdStartMS)
	}
	if r.IdleMB > 0 {
		fmt.Fprintf(w, ", %.0f MB before the load", r.IdleMB)
	}
	fmt.Fprint(w, "\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\tops/s\tp50 ms\tp99 ms\tmax ms\tcpu ms/op\tof raw\trefused/s\trefused p99\terrors\tconns\tserver MB\t\n")
	for _, one := range r.Results {
		raw := ""
		if one.RawLimit > 0 {
			raw = fmt.Sprintf("%.0f %% of %.0f", 100*one.Ratio, one.RawLimit)
		}
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.3f\t%s\t%.0f\t%.0f\t%d\t%d\t%.0f\t\n", one.Name, one.Ops, one.P50, one.P99, one.Max, one.CPU, raw,
			one.Refused, one.RefusedP99, one.Errors, one.Connections, one.ServerMB)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, one := range r.Results {
		if one.Hash != "" {
			_, err := fmt.Fprintf(w, "\npassword hash: %s\n", one.Hash)
			return err
		}
	}
	return nil
}

// usage is what a server has used so far.
type usage struct {
	cpu time.Duration
	mem float64 // resident, in megabytes
}

// used asks a node's admin listener; without one it is all zero.
func used(ctx context.Context, admin string) (usage, error) {
	if admin == "" {
		return usage{}, nil
	}
	raw, err := get(ctx, admin+"/metrics")
	if err != nil {
		return usage{}, err
	}
	var u usage
	for line := range bytes.Lines(raw) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		v, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "process_cpu_seconds_total":
			u.cpu = time.Duration(v * float64(time.Second))
		case "process_resident_memory_bytes":
			u.mem = v / 1e6
		}
	}
	return u, nil
}

// Memory gives the resident memory of a node in megabytes, by its admin
// listener.
func Memory(ctx context.Context, admin string) (float64, error) {
	u, err := used(ctx, admin)
	return u.mem, err
}

// Ready reports whether a node answers /readyz with 200.
func Ready(ctx context.Context, node string) bool {
	_, err := get(ctx, node+"/readyz")
	return err == nil
}
