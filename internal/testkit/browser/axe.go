package browser

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed axe/axe.min.js
var axeSource string

// rules is what a page must satisfy.
const rules = `["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22a","wcag22aa","best-practice"]`

// violation is one rule that a page breaks, as axe-core reports it.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	URL    string `json:"helpUrl"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// Axe fails the test for everything that axe-core finds wrong with the page as it is
// now: WCAG 2.0 to 2.2, A and AA, and axe's best practices. what names the page in the
// failure.
func (tab *Tab) Axe(what string) {
	tab.t.Helper()
	if !Eval[bool](tab, `"axe" in window`) {
		Eval[any](tab, axeSource+";null")
	}
	found := Eval[[]violation](tab, `axe.run(document, {
		resultTypes: ["violations"],
		runOnly: {type: "tag", values: `+rules+`},
	}).then(r => r.violations)`)
	var b strings.Builder
	for _, v := range found {
		fmt.Fprintf(&b, "\n%s (%s): %s\n  %s", v.ID, v.Impact, v.Help, v.URL)
		for _, n := range v.Nodes {
			fmt.Fprintf(&b, "\n    %s\n      %s", n.HTML, strings.ReplaceAll(n.Summary, "\n", "\n      "))
		}
	}
	if b.Len() > 0 {
		tab.t.Errorf("axe: %s:%s", what, b.String())
	}
}
