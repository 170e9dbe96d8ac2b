package store_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/limenauth/limen/internal/store"
)

var update = flag.Bool("update", false, "write the golden files")

// The schema is frozen: a change of it is a line in a diff, once per engine. Run
//
//	go test ./internal/store -run TestSchemaIsGolden -update
//
// after writing a migration, and read what it did.
func TestSchemaIsGolden(t *testing.T) {
	for _, e := range []store.Engine{store.SQLite, store.Postgres} {
		got, err := store.Schema(e)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "schema."+string(e)+".golden", got)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the migrations say; if they are right, run the tests with -update", path)
	}
}

func TestSQLiteDDL(t *testing.T) {
	for what, tt := range map[string]struct{ shared, want string }{
		"types": {
			"CREATE TABLE a (b BIGINT, c BYTEA, d BOOLEAN, e DOUBLE PRECISION, f TEXT);",
			"CREATE TABLE a (b INTEGER, c BLOB, d INTEGER, e REAL, f TEXT) STRICT;",
		},
		"lower case":             {"create table a (b bigint);", "create table a (b INTEGER) STRICT;"},
		"a new column":           {"ALTER TABLE a ADD COLUMN b BOOLEAN;", "ALTER TABLE a ADD COLUMN b INTEGER;"},
		"an index":               {"CREATE UNIQUE INDEX a ON b (c) WHERE d;", "CREATE UNIQUE INDEX a ON b (c) WHERE d;"},
		"parts of words":         {"CREATE TABLE bigint_a (b_bytea TEXT);", "CREATE TABLE bigint_a (b_bytea TEXT) STRICT;"},
		"texts and quoted names": {`CREATE TABLE a ("BIGINT" TEXT DEFAULT 'it''s; BYTEA');`, `CREATE TABLE a ("BIGINT" TEXT DEFAULT 'it''s; BYTEA') STRICT;`},
		"comments":               {"-- a BIGINT;\nCREATE /* BYTEA; */ TABLE a (b TEXT); -- BOOLEAN", "-- a BIGINT;\nCREATE /* BYTEA; */ TABLE a (b TEXT) STRICT; -- BOOLEAN"},
		"other statements":       {"UPDATE a SET bigint = CAST(b AS BIGINT);", "UPDATE a SET bigint = CAST(b AS BIGINT);"},
		"one after the other":    {"CREATE TABLE a (b BIGINT);\nUPDATE a SET bytea = 1;\nCREATE TABLE c (d BYTEA);", "CREATE TABLE a (b INTEGER) STRICT;\nUPDATE a SET bytea = 1;\nCREATE TABLE c (d BLOB) STRICT;"},
		"an unfinished text":     {"CREATE TABLE a ('b", "CREATE TABLE a ('b"},
		"nothing":                {"", ""},
	} {
		if got := store.SQLiteDDL(tt.shared); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, tt.want)
		}
	}
}

// TRUE and FALSE are words of both engines, in a column that is an INTEGER on one.
func TestBooleansAreChecked(t *testing.T) {
	d := slow(t)
	raw := d.SQL(t)
	ddl := store.SQLiteDDL(`CREATE TABLE flag (id TEXT NOT NULL PRIMARY KEY, up BOOLEAN NOT NULL DEFAULT FALSE CHECK (up IN (FALSE, TRUE)));`)
	if _, err := raw.Exec(ddl); err != nil {
		t.Fatal(err)
	}
	for value, fine := range map[any]bool{true: true, false: true, 1: true, 2: false, "yes": false} {
		if _, err := raw.Exec(`INSERT INTO flag (id, up) VALUES (hex(randomblob(8)), $1)`, value); (err == nil) != fine {
			t.Errorf("%v: %v", value, err)
		}
	}
	if _, err := raw.Exec(`INSERT INTO flag (id) VALUES ('default')`); err != nil {
		t.Error(err)
	}
	var up bool
	if err := d.Store.QueryRow(t.Context(), `SELECT up FROM flag WHERE id = 'default'`).Scan(&up); err != nil || up {
		t.Errorf("the default is %v, %v", up, err)
	}
}

// What cannot be shared is a pair, of which each engine reads its half as it is.
func TestMigrationPairs(t *testing.T) {
	files := fstest.MapFS{
		"0001_first.sql":         {Data: []byte("CREATE TABLE a (b BIGINT);")},
		"0002_pair.sqlite.sql":   {Data: []byte("CREATE TABLE c (d BIGINT);")},
		"0002_pair.postgres.sql": {Data: []byte("CREATE TABLE c (d BYTEA);")},
		"0003_lonely.sqlite.sql": {Data: []byte("PRAGMA optimize;")},
		"notes.txt":              {Data: []byte("not a migration")},
	}
	for e, want := range map[store.Engine]map[string]string{
		store.SQLite: {
			"0001_first.sql":  "CREATE TABLE a (b INTEGER) STRICT;",
			"0002_pair.sql":   "CREATE TABLE c (d BIGINT);",
			"0003_lonely.sql": "PRAGMA optimize;",
		},
		store.Postgres: {
			"0001_first.sql": "CREATE TABLE a (b BIGINT);",
			"0002_pair.sql":  "CREATE TABLE c (d BYTEA);",
		},
	} {
		got, err := store.MigrationsFor(e, files)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s reads %v, %v", e, got, err)
		}
	}
	files["0004_typo.postgre.sql"] = &fstest.MapFile{}
	if _, err := store.MigrationsFor(store.Postgres, files); err == nil {
		t.Error("a migration for an engine that does not exist was left out in silence")
	}
	clash := fstest.MapFS{"0001_a.sql": {}, "0001_a.sqlite.sql": {}}
	if _, err := store.MigrationsFor(store.SQLite, clash); err == nil {
		t.Error("one migration hid another")
	}
}
