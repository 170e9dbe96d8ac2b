package store

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// sqliteWords are the types of the shared migrations and what SQLite calls them.
var sqliteWords = map[string]string{
	"BIGINT":  "INTEGER",
	"BOOLEAN": "INTEGER",
	"BYTEA":   "BLOB",
	"DOUBLE":  "REAL", // DOUBLE PRECISION; the second word is dropped
}

// sqliteDDL translates a shared migration. It swaps the type words in CREATE and ALTER
// statements, makes every table STRICT, and leaves everything else, texts and comments
// too, as it is.
func sqliteDDL(text string) string {
	var out strings.Builder
	var first, second string // the statement's first two words
	for len(text) > 0 {
		n := tokenLength(text)
		token := text[:n]
		text = text[n:]
		switch {
		case token == ";":
			if first == "CREATE" && second == "TABLE" {
				token = " STRICT;"
			}
			first, second = "", ""
		case isWord(rune(token[0])):
			word := strings.ToUpper(token)
			if first == "" {
				first = word
			} else if second == "" {
				second = word
			}
			if swapped, ok := sqliteWords[word]; ok && (first == "CREATE" || first == "ALTER") {
				token = swapped
				if word == "DOUBLE" {
					text = strings.TrimPrefix(strings.TrimLeft(text, " "), "PRECISION")
				}
			}
		}
		out.WriteString(token)
	}
	return out.String()
}

func isWord(c rune) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// tokenLength measures the comment, text, quoted name, word or single byte at the start.
func tokenLength(s string) int {
	until := func(end string) int {
		if i := strings.Index(s[1:], end); i >= 0 {
			return 1 + i + len(end)
		}
		return len(s)
	}
	switch c := s[0]; {
	case strings.HasPrefix(s, "--"):
		return until("\n")
	case strings.HasPrefix(s, "/*"):
		return until("*/")
	case c == '\'' || c == '"':
		return until(string(c))
	case isWord(rune(c)):
		if i := strings.IndexFunc(s, func(c rune) bool { return !isWord(c) }); i >= 0 {
			return i
		}
		return len(s)
	}
	return 1
}

// textFS is a flat file system of texts: the migrations as one engine reads them.
type textFS map[string]string

// migrationsFor picks from files what concerns the engine: NNNN_name.sql, translated
// for SQLite, and its own half of a pair NNNN_name.<engine>.sql, as it is. All of them
// appear as NNNN_name.sql.
func migrationsFor(e Engine, files fs.FS) (textFS, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	out := textFS{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		stem := strings.TrimSuffix(name, ".sql")
		half := path.Ext(stem)
		body := string(text)
		switch half {
		case "":
			if e == SQLite {
				body = sqliteDDL(body)
			}
		case "." + string(e):
		case "." + string(SQLite), "." + string(Postgres):
			continue // the other half
		default:
			return nil, fmt.Errorf("migration %s is for no engine", name)
		}
		name = strings.TrimSuffix(stem, half) + ".sql"
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("migration %s is both shared and one of a pair", name)
		}
		out[name] = body
	}
	return out, nil
}

// Schema returns the migrations as the engine runs them, one after the other.
func Schema(e Engine) (string, error) {
	files, err := migrations(e)
	if err != nil {
		return "", err
	}
	names, err := files.Glob("*.sql")
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, name := range names {
		all.WriteString("-- " + name + "\n" + files[name] + "\n")
	}
	return all.String(), nil
}

func migrations(e Engine) (textFS, error) {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	return migrationsFor(e, sub)
}

// Glob implements fs.GlobFS.
func (t textFS) Glob(pattern string) ([]string, error) {
	var names []string
	for name := range t {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open implements fs.FS.
func (t textFS) Open(name string) (fs.File, error) {
	text, ok := t[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return textFile{Reader: bytes.NewReader([]byte(text)), name: name, size: int64(len(text))}, nil
}

// textFile is an open file and what is to be known of it.
type textFile struct {
	io.Reader
	name string
	size int64
}

// The methods of fs.File and fs.FileInfo.
func (f textFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f textFile) Close() error               { return nil }
func (f textFile) Name() string               { return f.name }
func (f textFile) Size() int64                { return f.size }
func (f textFile) Mode() fs.FileMode          { return 0o444 }
func (f textFile) ModTime() time.Time         { return time.Time{} }
func (f textFile) IsDir() bool                { return false }
func (f textFile) Sys() any                   { return nil }
