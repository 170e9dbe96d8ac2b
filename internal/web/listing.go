package web

// Paging is embedded in the In of a list: ?limit= (1 to 100, 20 when absent) and ?after=,
// the cursor of the list before.
type Paging struct {
	Limit int    `json:"-" query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many to answer."`
	After string `json:"-" query:"after" doc:"The cursor next of the list before."`
}

// List is the answer of every list. Next is null on the last page.
type List[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next" doc:"Pass it as after for the next page; null when there is none."`
}

// ListOf makes a list; next is "" on the last page.
func ListOf[T any](data []T, next string) List[T] {
	l := List[T]{Data: data}
	if l.Data == nil {
		l.Data = []T{} // [] on the wire, never null
	}
	if next != "" {
		l.Next = &next
	}
	return l
}
