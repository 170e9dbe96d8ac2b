// Command cmd runs the benchmarks of package bench and prints their tables: each figure
// of speed and size beside its bare limit in the same run. make bench calls it. It needs
// a PostgreSQL server for half of them, named by LIMEN_TEST_POSTGRES or found at
// 127.0.0.1:5432, on which it creates and drops databases of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/limenauth/limen/internal/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o := bench.Defaults()
	people := flag.String("people", "1000,100000", "sizes of the databases; the first is measured, the last shows what growth costs")
	engines := flag.String("engines", strings.Join(o.Engines, ","), "databases to measure on")
	figures := flag.String("figures", "", "me, refresh, sign-in, storm, deeds, outbox, alike, process; empty for all")
	flag.IntVar(&o.Rounds, "rounds", o.Rounds, "how often a figure and its limit take turns")
	flag.DurationVar(&o.Slice, "slice", o.Slice, "how long each turn is")
	flag.StringVar(&o.Postgres, "postgres", o.Postgres, "a PostgreSQL server whose user may create databases")
	flag.StringVar(&o.Dir, "dir", "", "where SQLite databases are made; empty for the temporary directory")
	flag.StringVar(&o.Source, "source", o.Source, "the root of the source, to build the binary from")
	flag.StringVar(&o.Profiles, "profiles", "", "a directory for a CPU profile of each figure")
	flag.Parse()
	o.Engines = strings.Split(*engines, ",")
	if *figures != "" {
		o.Figures = strings.Split(*figures, ",")
	}
	o.People = nil
	for size := range strings.SplitSeq(*people, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 100 {
			fmt.Fprintln(os.Stderr, "bench: -people takes numbers from 100 on, with commas between them")
			os.Exit(2)
		}
		o.People = append(o.People, n)
	}
	if err := bench.Run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
