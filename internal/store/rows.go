package store

import (
	"database/sql"
	"fmt"
	"time"
)

// when writes a time as microseconds since 1970 in UTC, the zero time as NULL.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// stamp returns a scan target that reads what when wrote.
func stamp(t *time.Time) sql.Scanner { return (*stampScanner)(t) }

type stampScanner time.Time

// Scan implements sql.Scanner.
func (s *stampScanner) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*s = stampScanner{}
	case int64:
		*s = stampScanner(time.UnixMicro(v).UTC())
	default:
		return fmt.Errorf("a time is stored as an integer, not as %T", value)
	}
	return nil
}

// null writes text, "" as NULL.
func null[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// optional returns a scan target that reads what null wrote.
func optional[T ~string](s *T) sql.Scanner { return textScanner[T]{s} }

type textScanner[T ~string] struct{ into *T }

// Scan implements sql.Scanner.
func (t textScanner[T]) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*t.into = ""
	case string:
		*t.into = T(v)
	case []byte:
		*t.into = T(v)
	default:
		return fmt.Errorf("a text is stored as text, not as %T", value)
	}
	return nil
}

// collect reads all rows and closes them. Without rows it returns nil.
func collect[T any](rows answer, scan func(func(...any) error) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return all, rows.Close()
}
