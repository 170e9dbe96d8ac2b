package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/limenauth/limen/internal/app"
)

const helpWidth = 92

// appExamples begin `limen --help`. A command's own examples are what its Help method
// returns.
const appExamples = `limen dev                                        everything on this machine, no setup
limen serve --url https://auth.example.com       production
limen user create --email ada@example.com        an account, made by you
limen user list --json                           what programs read
limen message list --state dead                  letters that were given up, and why
limen doctor                                     is all well?`

// printHelp prints examples first, then usage, commands, flags and settings with their
// variable and default.
func printHelp(_ kong.HelpOptions, ctx *kong.Context) error {
	node, examples := ctx.Model.Node, appExamples
	if selected := ctx.Selected(); selected != nil {
		node, examples = selected, selected.Detail
	}
	var b strings.Builder
	if examples != "" {
		b.WriteString("Examples:\n")
		for line := range strings.Lines(examples) {
			b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Usage: %s\n\n", usageLine(node))
	wrap(&b, "", node.Help)
	if len(node.Positional) > 0 {
		b.WriteString("\nArguments:\n")
		for _, arg := range node.Positional {
			if !arg.Tag.Hidden {
				fmt.Fprintf(&b, "  %s\n", arg.Summary())
				wrap(&b, "        ", arg.Help)
			}
		}
	}
	helpCommands(&b, node)
	if len(node.Children) == 0 {
		helpFlags(&b, node)
		helpSettings(&b, node)
	} else {
		fmt.Fprintf(&b, "\nRun %s <command> --help for more on a command.\n", path(node))
	}
	_, err := io.WriteString(ctx.Stdout, b.String())
	return err
}

func path(node *kong.Node) string {
	if node.Parent == nil {
		return node.Name
	}
	return path(node.Parent) + " " + node.Name
}

func usageLine(node *kong.Node) string {
	line := path(node)
	for _, arg := range node.Positional {
		if !arg.Tag.Hidden {
			line += " " + arg.Summary()
		}
	}
	if len(node.Children) > 0 {
		return line + " <command>"
	}
	return line + " [flags]"
}

func helpCommands(b *strings.Builder, node *kong.Node) {
	if len(node.Children) == 0 {
		return
	}
	b.WriteString("\nCommands:\n")
	var leaves func(n *kong.Node, prefix string)
	leaves = func(n *kong.Node, prefix string) {
		for _, child := range n.Children {
			name := prefix + child.Name
			for _, arg := range child.Positional {
				if !arg.Tag.Hidden {
					name += " " + arg.Summary()
				}
			}
			if len(child.Children) == 0 {
				fmt.Fprintf(b, "  %-30s %s\n", name, child.Help)
			}
			leaves(child, prefix+child.Name+" ")
		}
	}
	leaves(node, "")
}

func helpFlags(b *strings.Builder, node *kong.Node) {
	b.WriteString("\nFlags:\n")
	for _, flag := range node.Flags {
		if flag.Hidden {
			continue
		}
		fmt.Fprintf(b, "  %s\n", flag.String())
		wrap(b, "        ", flag.Help)
		if flag.Default != "" {
			wrap(b, "        ", "Default: "+flag.Default)
		}
	}
	b.WriteString("  -h, --help\n        Print this.\n")
}

// helpSettings lists every setting for the servers; the other commands read them all too,
// but need to say where the database is and little else.
func helpSettings(b *strings.Builder, node *kong.Node) {
	serves := node.Name == "dev" || node.Name == "serve"
	if node.Name == "version" {
		return
	}
	group := ""
	for _, s := range app.Settings() {
		if !serves && s.Group != "Files" && s.Group != "Storage" {
			continue
		}
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(b, "\n%s:\n", group)
		}
		switch {
		case !s.Flag:
			fmt.Fprintf(b, "  %s, or %s in the file\n", s.Env, s.Name)
		case s.Placeholder != "":
			fmt.Fprintf(b, "  --%s=%s\n", s.Name, s.Placeholder)
		case len(s.Choices) > 0:
			fmt.Fprintf(b, "  --%s=%s\n", s.Name, strings.Join(s.Choices, "|"))
		default:
			fmt.Fprintf(b, "  --%s=VALUE\n", s.Name)
		}
		wrap(b, "        ", s.Help)
		note := "Default: " + s.Default
		if s.Default == "" {
			note = "Default: " + s.Unset
		}
		if s.Default == "" && s.Unset == "" {
			note = "Default: none"
		}
		if s.Flag {
			note = s.Env + ". " + note
		}
		wrap(b, "        ", note)
	}
	if !serves {
		b.WriteString("\nThe other settings of limen serve are read here too; see limen serve --help.\n")
	}
}

// wrap writes text in lines of at most helpWidth.
func wrap(b *strings.Builder, indent, text string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(indent+line+" "+word) > helpWidth {
			b.WriteString(indent + line + "\n")
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		b.WriteString(indent + line + "\n")
	}
}
