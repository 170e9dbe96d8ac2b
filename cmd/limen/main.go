// Command limen is the whole authentication server: it serves, and it is how an operator
// works on people, sessions and keys.
//
// Every command reads the same settings (see app.Config and docs/configuration.md): from
// flags, the environment, a file, or defaults, in this order. Every command that reads
// prints a table for people, or with --json what programs can rely on: stable names, times
// in RFC 3339, null for what is unknown.
//
// Exit status:
//
//	0  it was done; a server that was told to stop has stopped
//	1  it was tried and failed
//	2  the command line is wrong; nothing was tried
//	3  the configuration was refused; nothing was tried
//
// Threats. Passwords and tokens are read from a prompt or from standard input, never from
// arguments, which every user of the machine can see. Secrets that limen makes are shown
// once, alone on standard output, so that they can be piped to where they belong.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/fault"
)

// The exit statuses.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// commands is the grammar: the settings belong to every command.
type commands struct {
	app.Config `kong:"embed"`

	Dev        devCommand        `cmd:"" help:"Run everything on this machine, without any setup."`
	Serve      serveCommand      `cmd:"" help:"Run in production."`
	Migrate    migrateCommand    `cmd:"" help:"See or update the database schema."`
	User       userCommand       `cmd:"" help:"Make, find and change accounts."`
	Session    sessionCommand    `cmd:"" help:"See and end sessions."`
	SigningKey signingKeyCommand `cmd:"" name:"signing-key" help:"See and rotate the keys that sign access tokens."`
	Apikey     apikeyCommand     `cmd:"" help:"Make and revoke the keys with which your services call limen."`
	Message    messageCommand    `cmd:"" help:"See the letters on their way, and write to many."`
	Token      tokenCommand      `cmd:"" help:"Look into a token."`
	Mail       mailCommand       `cmd:"" help:"Try the mail relay."`
	Doctor     doctorCommand     `cmd:"" help:"Examine settings, database, keys and machine."`
	Version    versionCommand    `cmd:"" help:"Say which limen this is."`
}

// call is what a command is given to work with.
type call struct {
	ctx     context.Context
	config  *app.Config
	sources *app.Sources
	in      *bufio.Reader
	inFile  *os.File
	out     io.Writer
	err     io.Writer
}

// settings returns the configuration once it has passed.
func (x *call) settings(mode app.Mode) (*app.Config, error) {
	return x.config, x.sources.Ready(x.config, mode)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	var grammar commands
	x := &call{
		ctx: ctx, config: &grammar.Config, sources: app.NewSources(os.Environ(), "."),
		in: bufio.NewReader(os.Stdin), inFile: os.Stdin, out: os.Stdout, err: os.Stderr,
	}
	parser, err := kong.New(&grammar, append(x.sources.Options(),
		kong.Name("limen"),
		kong.Description("An authentication server in one binary: sign-up, sign-in, sessions and tokens for your applications."),
		kong.Help(printHelp),
		kong.Bind(x),
	)...)
	if err != nil {
		fmt.Fprintln(x.err, "limen:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	selected, err := parser.Parse(args)
	if err != nil {
		return usage(x.err, err)
	}
	return report(x.err, selected.Run())
}

// usage tells what is wrong with the command line and where help is.
func usage(w io.Writer, err error) int {
	command := "limen"
	if p, ok := errors.AsType[*kong.ParseError](err); ok && p.Context != nil {
		if node := p.Context.Selected(); node != nil {
			command = node.FullPath()
		}
	}
	fmt.Fprintf(w, "limen: %v\nRun %s --help to see how it is used.\n", err, command)
	return exitUsage
}

// report tells how a command failed. Only a fault's public sentence and an operator's own
// errors are shown; both are free of secrets.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	if problems, ok := errors.AsType[app.Problems](err); ok {
		fmt.Fprintln(w, "limen:", problems)
		return exitRefused
	}
	if wrong, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintln(w, "limen:", wrong)
		return exitUsage
	}
	refusal, ok := errors.AsType[*fault.Fault](err)
	if !ok || refusal.Kind == fault.Internal {
		fmt.Fprintln(w, "limen:", err)
		return exitFailed
	}
	fmt.Fprintln(w, "limen:", refusal.Detail)
	for _, field := range slices.Sorted(maps.Keys(refusal.Fields)) {
		fmt.Fprintf(w, "  %s: %s\n", field, strings.ReplaceAll(refusal.Fields[field], "_", " "))
	}
	return exitFailed
}

// usageError is a mistake on the command line that the grammar cannot see.
type usageError string

func (e usageError) Error() string { return string(e) }
