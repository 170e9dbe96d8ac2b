package pages

import (
	"fmt"
	"html/template"
)

// icons are drawn on a grid of 24, in strokes of the text's colour.
var icons = map[string]string{
	"alert":    `<circle cx="12" cy="12" r="9"/><path d="M12 7.5V13M12 16.4v.1"/>`,
	"arrow":    `<path d="M5 12h14M13 6l6 6-6 6"/>`,
	"back":     `<path d="M8.5 5 4 9.5 8.5 14M4.5 9.5H14a5.5 5.5 0 0 1 0 11H9"/>`,
	"check":    `<circle cx="12" cy="12" r="9"/><path d="m8 12.4 2.7 2.7L16 9.6"/>`,
	"clock":    `<circle cx="12" cy="12" r="9"/><path d="M12 7v5.2l3.4 2"/>`,
	"exit":     `<path d="M14 4H7.5A1.5 1.5 0 0 0 6 5.5v13A1.5 1.5 0 0 0 7.5 20H14M11 12h9.5M17 8.5l3.5 3.5-3.5 3.5"/>`,
	"eye":      `<path d="M2.8 12c3.6-6.7 14.8-6.7 18.4 0-3.6 6.7-14.8 6.7-18.4 0z"/><circle cx="12" cy="12" r="2.75"/><path d="M4.5 20 19.5 4"/>`,
	"globe":    `<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c4.8 5 4.8 13 0 18M12 3c-4.8 5-4.8 13 0 18"/>`,
	"key":      `<circle cx="8" cy="15" r="4.5"/><path d="m11.3 11.7 8.2-8.2M16 7l3 3"/>`,
	"laptop":   `<rect x="5" y="5" width="14" height="10" rx="1.75"/><path d="M3 19h18"/>`,
	"lock":     `<rect x="5" y="10.5" width="14" height="9.5" rx="2.5"/><path d="M8 10.5V8a4 4 0 0 1 8 0v2.5"/>`,
	"mail":     `<rect x="3" y="5" width="18" height="14" rx="3"/><path d="m4.2 7.8 7.8 5.4 7.8-5.4"/>`,
	"out":      `<path d="M9.5 5H7a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2v-2.5M13.5 4.5h6v6M19 5l-8 8"/>`,
	"phone":    `<rect x="7" y="3" width="10" height="18" rx="2.5"/><path d="M11 17.6h2"/>`,
	"shield":   `<path d="M12 3.4c2.2 1.6 4.6 2.4 7.5 2.5v5.6c0 4.3-2.8 7.4-7.5 9.1-4.7-1.7-7.5-4.8-7.5-9.1V5.9c2.9-.1 5.3-.9 7.5-2.5z"/><path d="m9 11.9 2.2 2.2 3.9-4"/>`,
	"tablet":   `<rect x="5" y="3" width="14" height="18" rx="2.5"/><path d="M11 17.6h2"/>`,
	"terminal": `<rect x="3" y="4.5" width="18" height="15" rx="2.5"/><path d="m7 9.5 3 2.5-3 2.5M13 15h4"/>`,
	// The mark: a doorway, the light in it, and the threshold.
	"mark": `<path d="M5 18.5V12a7 7 0 0 1 14 0v6.5M2.5 19h19"/><path d="M9 18.5V12a3 3 0 0 1 6 0v6.5z" fill="currentColor" stroke="none"/>`,
}

// devices tells the icon for each kind of device; the others are laptops.
var devices = map[string]string{"mobile": "phone", "tablet": "tablet", "cli": "terminal", "bot": "terminal", "other": "globe"}

func icon(name string) (template.HTML, error) {
	body, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("no icon is called %q", name)
	}
	class := "i"
	if name == "arrow" || name == "exit" || name == "out" || name == "back" {
		class = "i flip" // they point along the line
	}
	return template.HTML(`<svg class="` + class + `" viewBox="0 0 24 24" aria-hidden="true">` + body + `</svg>`), nil
}

func deviceIcon(kind string) (template.HTML, error) {
	if name, ok := devices[kind]; ok {
		return icon(name)
	}
	return icon("laptop")
}
