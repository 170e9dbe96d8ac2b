package explorer

import (
	"slices"
	"strings"
)

// moment is what was known before a step, to judge the messages that it causes.
type moment struct {
	row    accountRow
	serial int
}

// told judges the messages about a step: every verified address hears of it, and gets a
// link that undoes it where it is senior and one that reports it where it is not. A
// deletion is told to numbers as well, and to what was removed in the last 72 h if it was
// senior. Where there is no address, numbers hear of everything, but only so often a day.
func (w *world) told(op string, before moment) {
	if w.over() || !w.row.exists {
		return
	}
	path, about := w.tells(op, before)
	if path == "" {
		return
	}
	at := w.now()
	heard := func(label, path string) bool {
		return slices.ContainsFunc(w.holder(label).links, func(l *link) bool {
			return l.serial > before.serial && l.to == label && l.path == path
		})
	}
	for i, p := range w.proofs {
		if slices.ContainsFunc(w.proofs[i+1:], func(q proof) bool { return q.label == p.label }) {
			continue // proven again since
		}
		verified, removed := p.until.IsZero(), !p.byRemedy && at.Sub(p.until) < undoLife
		senior := w.senior(p, at)
		if path != notMePath && !senior && heard(p.label, path) && !w.removedSenior(p.label) {
			w.violate("rule", "a junior contact gets a link that undoes", op+": "+p.label)
		}
		switch {
		case p.label == about && verified, isPhone(p.label) && op != "delete-account":
			continue
		case verified:
		case removed && senior && (op == "delete-account" || op == "remove" && p.label == about && p.until.Equal(at)):
		default:
			continue
		}
		want := path
		if !senior {
			want = notMePath
		}
		if !heard(p.label, want) {
			w.violate("rule", "a contact is not told", op+": "+p.label+" gets no "+want)
		}
	}
}

// removedSenior reports whether a contact was removed in the last 72 h that was senior.
func (w *world) removedSenior(label string) bool {
	return slices.ContainsFunc(w.proofs, func(p proof) bool {
		lately := !p.until.IsZero() && !p.byRemedy && w.now().Sub(p.until) < undoLife
		return p.label == label && lately && w.senior(p, w.now())
	})
}

// tells is what a step should announce: the page that senior contacts are led to, "" for
// no message, and the contact that it is about. Links that undo learn what they are for.
func (w *world) tells(op string, before moment) (path, about string) {
	was, gone := "", ""
	for _, c := range before.row.contacts {
		label := w.labels[c.value]
		now, found := w.contact(label)
		if !found && !c.verified.IsZero() {
			gone = label
		}
		if c.primary && !c.verified.IsZero() && (!found || !now.primary) {
			was = label
		}
	}
	switch {
	case op == "password" || op == "recovery-code" || op == "recovery-link":
		return notMePath, ""
	case op == "add" || strings.HasPrefix(op, "confirm-"):
		for _, p := range w.proofs {
			if p.until.IsZero() && !slices.ContainsFunc(before.row.contacts, func(c contactRow) bool { return c.id == p.id && !c.verified.IsZero() }) {
				return notMePath, p.label
			}
		}
		return "", ""
	case op == "delete-account":
		return keepPath, ""
	case op == "remove" && gone == "" || op == "primary" && was == "" || op != "remove" && op != "primary":
		return "", ""
	}
	for _, p := range []*person{w.owner, w.thief} {
		for _, l := range p.links {
			if l.serial > before.serial && l.path == undoPath {
				l.gone, l.was = gone, was
			}
		}
	}
	return undoPath, gone
}
