package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"

	"github.com/limenauth/limen/internal/secret"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	Key  string // the setting, or the key or variable that is none
	From string // where its value came from, "" when it is the default
	Text string // what is wrong and what to do about it; never shows a secret
}

func (p Problem) String() string {
	if p.From == "" {
		return p.Key + ": " + p.Text
	}
	return p.Key + " (from " + p.From + "): " + p.Text
}

// Problems is everything that is wrong with the configuration, told at once.
type Problems []Problem

// Error lists the problems, one in a line.
func (p Problems) Error() string {
	var b strings.Builder
	if len(p) == 1 {
		b.WriteString("a setting needs another look:")
	} else {
		fmt.Fprintf(&b, "%d settings need another look:", len(p))
	}
	for _, one := range p {
		b.WriteString("\n  " + one.String())
	}
	return b.String()
}

// err is nil when there is no problem: a typed nil would not be.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// raw is a value before it is parsed, and where it was found.
type raw struct {
	text string
	from string
	rank int
}

const (
	rankFile = iota + 1
	rankEnv
	rankFlag
)

// Sources are the environment and the file. They serve the flag parser as a resolver:
// it asks for every setting that is not on the command line. Problems are collected,
// not returned one by one; Finish tells them all.
type Sources struct {
	environ  []string
	dir      string
	read     bool
	file     string // the file that was read, if any
	values   map[string]raw
	asked    map[string]bool
	problems Problems
}

// NewSources takes the environment as KEY=value and the directory in which
// configuration files are looked for; "" looks for none.
func NewSources(environ []string, dir string) *Sources {
	return &Sources{environ: environ, dir: dir, values: map[string]raw{}, asked: map[string]bool{}}
}

// Options makes a flag parser use the sources.
func (s *Sources) Options() []kong.Option {
	return []kong.Option{durations(), kong.Resolvers(s)}
}

// Load reads a whole configuration: args are flags alone. A program that mounts limen
// may call it with its own arguments or none. It does not Check.
func Load(args, environ []string, dir string) (*Config, error) {
	var c Config
	src := NewSources(environ, dir)
	parser, err := kong.New(&c, append(src.Options(), kong.Name("limen"))...)
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse(args); err != nil {
		return nil, err
	}
	return &c, src.Finish(&c)
}

// Validate is part of kong.Resolver.
func (s *Sources) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver: the text of a setting that is not on the command
// line, or nil.
func (s *Sources) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	s.readOnce(ctx)
	v, ok := s.values[flag.Name]
	if !ok {
		return nil, nil
	}
	s.asked[flag.Name] = true
	return v.text, nil
}

func (s *Sources) readOnce(ctx *kong.Context) {
	if s.read {
		return
	}
	s.read = true
	for _, f := range ctx.Model.Flags {
		if f.Name == "config" {
			file, _ := ctx.FlagValue(f).(string)
			s.readAll(file)
		}
	}
}

// Finish fills what the parser cannot and returns every problem found so far, as
// Problems. Call it once, after the parser.
func (s *Sources) Finish(c *Config) error {
	c.from, c.ConfigFile = map[string]string{}, s.file
	for name := range s.asked {
		c.from[name] = s.values[name].from
	}
	if v, ok := s.values["root-key"]; ok {
		c.RootKey, c.from["root-key"] = secret.Text(v.text), v.from
	}
	s.secretFile(c, "root-key", &c.RootKey, c.RootKeyFile)
	s.secretFile(c, "db", &c.DB, c.DBFile)
	s.secretFile(c, "redis", &c.Redis, c.RedisFile)
	s.secretFile(c, "sms", &c.SMS, c.SMSFile)
	s.secretFile(c, "smtp", &c.SMTP, c.SMTPFile)
	return s.problems.err()
}

// Ready is Finish and Check in one, so that whoever starts limen is told everything that
// is wrong in one go. A setting that does not parse is not complained about twice.
func (s *Sources) Ready(c *Config, mode Mode) error {
	problems, _ := errors.AsType[Problems](s.Finish(c))
	told := map[string]bool{}
	for _, p := range problems {
		told[p.Key] = true
	}
	more, _ := errors.AsType[Problems](c.Check(mode))
	for _, p := range more {
		if !told[p.Key] {
			problems = append(problems, p)
		}
	}
	return problems.err()
}

// secretFile replaces target by what its *-file setting points to. The two are one
// setting written in two ways: the nearer source wins, within one source both is a
// mistake.
func (s *Sources) secretFile(c *Config, name string, target *secret.Text, path string) {
	if path == "" {
		return
	}
	if *target != "" {
		direct, byFile := s.rank(name), s.rank(name+"-file")
		if direct == byFile {
			s.problem(name, "", fmt.Sprintf("both %s and %s-file are set; keep one of them", name, name))
			return
		}
		if direct > byFile {
			return
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		s.problem(name+"-file", c.from[name+"-file"], fmt.Sprintf("cannot be read: %v; name a file that this user can read", reason(err)))
		return
	}
	*target = secret.Text(strings.TrimRight(string(text), "\r\n"))
	c.from[name] = path
	if *target == "" {
		s.problem(name+"-file", c.from[name+"-file"], fmt.Sprintf("%s is empty; write the value of %s into it", path, name))
	}
}

func (s *Sources) rank(name string) int {
	if v, ok := s.values[name]; ok && (s.asked[name] || name == "root-key") {
		return v.rank
	}
	return rankFlag
}

func (s *Sources) problem(key, from, text string) {
	s.problems = append(s.problems, Problem{Key: key, From: from, Text: text})
}

func (s *Sources) readAll(file string) {
	from := "--config"
	for _, kv := range s.environ {
		if v, ok := strings.CutPrefix(kv, "LIMEN_CONFIG="); ok && file == "" {
			file, from = v, "LIMEN_CONFIG"
		}
	}
	if file == "" {
		file, from = s.findFile(), ""
	}
	if file != "" {
		s.file = file
		s.readFile(file, from)
	}
	s.readEnviron()
}

func (s *Sources) findFile() string {
	if s.dir == "" {
		return ""
	}
	var found []string
	for _, name := range []string{"limen.toml", "limen.json"} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			found = append(found, filepath.Join(s.dir, name))
		}
	}
	if len(found) == 2 {
		s.problem("config", "", "both limen.toml and limen.json are here; keep one, or name the one you mean with --config")
	}
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

func (s *Sources) readFile(path, from string) {
	text, err := os.ReadFile(path)
	if err != nil {
		s.problem("config", from, fmt.Sprintf("%s cannot be read: %v", path, reason(err)))
		return
	}
	values := map[string]any{}
	if filepath.Ext(path) == ".json" {
		err = decodeJSON(text, values)
	} else {
		err = toml.Unmarshal(text, &values)
	}
	name := filepath.Base(path)
	if err != nil {
		where := ""
		if d, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, col := d.Position()
			where = fmt.Sprintf("line %d, column %d: ", row, col)
		}
		s.problem("config", from, fmt.Sprintf("%s: %s%s", name, where, strings.TrimPrefix(err.Error(), "toml: ")))
		return
	}
	known := map[string]Setting{}
	for _, set := range Settings() {
		known[set.Name] = set
	}
	delete(known, "config") // a file does not name itself
	for _, key := range slices.Sorted(maps.Keys(values)) {
		set, ok := known[key]
		if !ok {
			s.problem(key, name, "there is no such setting"+meant(key, strings.Clone))
			continue
		}
		value, err := plain(values[key])
		if err != nil {
			s.problem(key, name, err.Error())
			continue
		}
		s.take(set, raw{text: value, from: name, rank: rankFile})
	}
}

// take keeps a value that parses and reports one that does not.
func (s *Sources) take(set Setting, v raw) {
	if err := set.check(v.text); err != nil {
		s.problem(set.Name, v.from, err.Error())
		return
	}
	s.values[set.Name] = v
}

// plain turns a value of a file into the text that a flag would have.
func plain(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int64, json.Number:
		return fmt.Sprint(v), nil
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			text, ok := e.(string)
			if !ok {
				return "", errors.New("a list holds texts only; put each entry in quotes")
			}
			parts[i] = kong.JoinEscaped([]string{text}, ',')
		}
		return strings.Join(parts, ","), nil
	case map[string]any:
		return "", errors.New("settings are flat: write the key itself, without a table around it")
	}
	return "", fmt.Errorf("%v is neither a text, a number nor a list of texts; put it in quotes", v)
}

func decodeJSON(text []byte, into map[string]any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	open, err := dec.Token()
	if err != nil || open != json.Delim('{') {
		return errors.New("it is not one JSON object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if _, twice := into[name]; twice {
			return fmt.Errorf("the key %q occurs twice; keep one", name)
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return err
		}
		into[name] = v
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

// foreign matches variables that start with LIMEN_ and are not ours: Kubernetes sets
// these in every pod that can see a service called limen, and tests set the last.
var foreign = regexp.MustCompile(`^LIMEN_(([A-Z0-9_]+_)?SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|([A-Z0-9_]+_)?PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?|TEST_[A-Z0-9_]*)$`)

// ours tells a misspelt setting from a variable of somebody else. LIMEN_PORT is both
// what Kubernetes sets, to an address, and what people try, with a number.
func ours(key, value string) bool {
	if !strings.HasPrefix(key, "LIMEN_") || key == "LIMEN_CONFIG" {
		return false
	}
	return !foreign.MatchString(key) || key == "LIMEN_PORT" && !strings.Contains(value, "://")
}

func (s *Sources) readEnviron() {
	known := map[string]Setting{}
	for _, set := range Settings() {
		known[set.Env] = set
	}
	for _, kv := range slices.Sorted(slices.Values(s.environ)) {
		key, value, _ := strings.Cut(kv, "=")
		if !ours(key, value) {
			continue
		}
		if set, ok := known[key]; ok {
			s.take(set, raw{text: value, from: key, rank: rankEnv})
			continue
		}
		s.problem(key, "the environment", "there is no such setting"+meant(strings.TrimPrefix(key, "LIMEN_"), EnvName))
	}
}

// hints are names that other programs use for what limen calls differently.
var hints = map[string]string{
	"port": "listen", "addr": "listen", "address": "listen", "host": "listen", "bind": "listen",
	"public-url": "url", "base-url": "url", "issuer": "url", "site-url": "url", "external-url": "url",
	"database": "db", "database-url": "db", "db-url": "db", "dsn": "db", "postgres": "db",
	"redis-url": "redis", "secret": "root-key", "secret-key": "root-key", "jwt-secret": "root-key",
	"cors-origins": "allowed-origins", "cors-allowed-origins": "allowed-origins",
	"redirect-urls": "redirect-allow", "redirect-uris": "redirect-allow", "admin-listen": "ops-listen",
	"twilio": "sms", "sms-url": "sms", "sms-provider": "sms", "sms-providers": "sms",
	"smtp-url": "smtp", "smtp-host": "smtp", "smtp-server": "smtp", "mail-url": "smtp", "email-from": "mail-from", "smtp-from": "mail-from",
	"metrics-listen": "ops-listen", "data-dir": "data", "jwt-expires-in": "access-life",
}

// meant is "; did you mean X?" or nothing; spell writes X as its source does.
func meant(key string, spell func(string) string) string {
	var words []string
	for _, set := range Settings() {
		words = append(words, set.Name)
	}
	words = append(words, slices.Sorted(maps.Keys(hints))...)
	best := closest(key, words)
	if other, ok := hints[best]; ok {
		best = other
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", spell(best))
}

// reason is why a file could not be read, without the path that the caller names anyway.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
