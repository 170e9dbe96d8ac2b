package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/limenauth/limen/internal/secret"
)

// processes measures the binary as it is shipped: its size, how long it takes from its
// start to the first healthy answer, and what memory it has taken by then.
func (o Options) processes(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp(o.Dir, "limen-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "limen")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/limen")
	build.Dir = o.Source
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building limen: %w\n%s", err, text)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	t := newTable("the process")
	megabytes := float64(info.Size()) / (1 << 20)
	t.row("stripped binary", fmt.Sprintf("%.1f MB", megabytes), "", "", "<= 30 MB", megabytes <= 30)
	for _, engine := range o.Engines {
		if err := o.starts(ctx, engine, binary, t); err != nil {
			return fmt.Errorf("starting on %s: %w", engine, err)
		}
	}
	t.print(out)
	return nil
}

// started is what one start came to.
type started struct {
	took  time.Duration
	bytes float64
}

func (o Options) starts(ctx context.Context, engine, binary string, t *table) (err error) {
	d, err := newDatabase(ctx, o, engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	root := secret.NewRoot().Reveal()
	var all []started
	for n := range 2*o.Rounds + 1 {
		s, err := startOnce(ctx, binary, d, root)
		if err != nil {
			return err
		}
		if n > 0 { // the first start makes the database
			all = append(all, s)
		}
	}
	took := time.Duration(median(all, func(s started) float64 { return float64(s.took) }))
	t.row("cold start, "+engine, short(took), "", "", "<= 100ms", took <= 100*time.Millisecond)
	megabytes := median(all, func(s started) float64 { return s.bytes / (1 << 20) })
	t.row("RSS before the first hash, "+engine, fmt.Sprintf("%.1f MB", megabytes), "", "", "<= 40 MB", megabytes <= 40)
	return nil
}

func startOnce(ctx context.Context, binary string, d *database, root string) (_ started, err error) {
	address, err := freeAddress()
	if err != nil {
		return started{}, err
	}
	serve := exec.CommandContext(ctx, binary, "serve", "--url", "https://auth.bench.example", "--listen", address,
		"--ops-listen", "off", "--data", d.dir, "--db", d.address)
	serve.Env = append(os.Environ(), "LIMEN_ROOT_KEY="+root)
	var said strings.Builder
	serve.Stdout, serve.Stderr = &said, &said
	began := time.Now()
	if err := serve.Start(); err != nil {
		return started{}, err
	}
	defer func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		if ended := serve.Wait(); ended != nil && err == nil {
			err = fmt.Errorf("%w: %s", ended, said.String())
		}
	}()
	for !healthy(address) {
		if time.Since(began) > 20*time.Second {
			return started{}, errors.New("it does not become healthy: " + said.String())
		}
		time.Sleep(time.Millisecond)
	}
	s := started{took: time.Since(began)}
	s.bytes, err = residentPeak(serve.Process.Pid)
	return s, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func healthy(address string) bool {
	w, err := dial(address, 0)
	if err != nil {
		return false
	}
	defer w.close()
	status, _, err := w.get("/healthz", "")
	return err == nil && status == http.StatusOK
}

// residentPeak is the most memory that a process has held so far; 0 where Linux does not
// tell.
func residentPeak(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, nil
	}
	for line := range strings.Lines(string(raw)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kilobytes, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return float64(kilobytes) * 1024, err
		}
	}
	return 0, nil
}
