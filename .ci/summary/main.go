// Command summary reads the events of go test -json, shows what failed with its output,
// one line for each package, and at the end how many tests ran, failed and were skipped,
// with the reason of each skip. It exits with status 1 if anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64

	ImportPath  string // of a build event
	FailedBuild string
}

type summary struct {
	passed, failed int
	packages       int
	broken         []string
	skips          map[string]int
	output         map[string][]string // by package and test
	slow           []event
}

func main() {
	start := time.Now()
	s := summary{skips: map[string]int{}, output: map[string][]string{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			continue
		}
		s.take(e)
	}
	s.print(time.Since(start))
	if s.failed > 0 || len(s.broken) > 0 || lines.Err() != nil {
		os.Exit(1)
	}
}

func (s *summary) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
	case "build-output":
		fmt.Print(e.Output)
	case "pass":
		if e.Test == "" {
			s.packages++
			fmt.Printf("ok    %-60s %6.1fs\n", e.Package, e.Elapsed)
		} else {
			s.passed++
			s.slow = append(s.slow, e)
		}
		delete(s.output, key)
	case "fail":
		if e.Test == "" {
			s.packages++
			s.broken = append(s.broken, e.Package)
			fmt.Printf("FAIL  %-60s %6.1fs\n", e.Package, e.Elapsed)
		} else {
			s.failed++
			s.broken = append(s.broken, key)
		}
		fmt.Print(strings.Join(s.output[key], ""))
	case "skip":
		if e.Test != "" {
			s.skips[reason(s.output[key])]++
		}
		delete(s.output, key)
	}
}

// reason is what the test said when it was skipped.
func reason(output []string) string {
	said := "no reason given"
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = line
		}
	}
	if _, after, ok := strings.Cut(said, ".go:"); ok { // file.go:12: reason
		if _, text, ok := strings.Cut(after, ": "); ok {
			said = text
		}
	}
	return said
}

func (s *summary) print(took time.Duration) {
	skipped := 0
	for _, n := range s.skips {
		skipped += n
	}
	fmt.Printf("\n%d packages, %d tests passed, %d failed, %d skipped, in %s\n",
		s.packages, s.passed, s.failed, skipped, took.Round(time.Second))
	for why, n := range s.skips {
		fmt.Printf("  skipped %d: %s\n", n, why)
	}
	slices.SortFunc(s.slow, func(a, b event) int { return int(1000 * (b.Elapsed - a.Elapsed)) })
	for _, e := range s.slow[:min(5, len(s.slow))] {
		if e.Elapsed >= 5 && !strings.Contains(e.Test, "/") {
			fmt.Printf("  slow: %s %s took %.1fs\n", e.Package, e.Test, e.Elapsed)
		}
	}
	if len(s.broken) > 0 {
		fmt.Println("\nfailed:")
		for _, name := range s.broken {
			fmt.Println("  " + name)
		}
		return
	}
	fmt.Println("all green")
}
