package pages_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/limenauth/limen/internal/text"
)

// Every sentence that a template asks for exists and gets exactly its arguments, also in
// the branches that no fixture walks.
func TestTemplatesKnowTheirWords(t *testing.T) {
	m := catalogue(t).For("en")
	files, err := filepath.Glob("templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal("no templates", err)
	}
	asked := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root := parse.New(file)
		root.Mode = parse.SkipFuncCheck
		trees := map[string]*parse.Tree{}
		if _, err := root.Parse(string(src), "", "", trees); err != nil {
			t.Fatal(err)
		}
		for _, tree := range trees {
			walk(tree.Root, func(c *parse.CommandNode) {
				if asks(t, m, file, c) {
					asked++
				}
			})
		}
	}
	if asked < 100 {
		t.Errorf("only %d sentences found: the walk has gone blind", asked)
	}
}

// asks checks one call of t or rich.
func asks(t *testing.T, m text.Messages, file string, c *parse.CommandNode) bool {
	id, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok || id.Ident != "t" && id.Ident != "rich" {
		return false
	}
	if len(c.Args) < 3 {
		t.Errorf("%s: %s", file, c)
		return true
	}
	key, ok := c.Args[2].(*parse.StringNode)
	if !ok {
		t.Errorf("%s: %s: the key is not written out, so nothing can check it", file, c)
		return true
	}
	want, ok := m.Args(key.Text)
	if !ok {
		t.Errorf("%s: there are no words for %s", file, key.Text)
		return true
	}
	var got []string
	for i := 3; i < len(c.Args); i += 2 {
		if name, ok := c.Args[i].(*parse.StringNode); ok {
			got = append(got, name.Text)
		}
	}
	slices.Sort(got)
	if strings.Join(got, " ") != strings.Join(want, " ") || len(c.Args) != 3+2*len(want) {
		t.Errorf("%s: %s takes %v, not %v", file, key.Text, want, got)
	}
	return true
}

// walk visits every command of a template, in every branch and inside every pipeline.
func walk(n parse.Node, visit func(*parse.CommandNode)) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				walk(child, visit)
			}
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.TemplateNode:
		walk(n.Pipe, visit)
	case *parse.IfNode:
		branch(&n.BranchNode, visit)
	case *parse.WithNode:
		branch(&n.BranchNode, visit)
	case *parse.RangeNode:
		branch(&n.BranchNode, visit)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				walk(c, visit)
			}
		}
	case *parse.CommandNode:
		visit(n)
		for _, arg := range n.Args {
			walk(arg, visit)
		}
	}
}

func branch(n *parse.BranchNode, visit func(*parse.CommandNode)) {
	walk(n.Pipe, visit)
	walk(n.List, visit)
	walk(n.ElseList, visit)
}
