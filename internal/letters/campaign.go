package letters

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/mail"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/store"
)

// CampaignNotice is the template of letters to many: their words come from an operator.
const CampaignNotice Template = "campaign"

// The bounds of what an operator writes to everybody.
const (
	maxName    = 100
	maxSubject = 200
	maxBody    = 256 << 10
	// MaxCampaignRate is the most letters in a second that a campaign may ask for.
	MaxCampaignRate = 10_000
)

// notice is what the letters of a campaign say. It is sealed under the campaign's id.
type notice struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"`
	Rate    int    `json:"rate,omitempty"` // letters in a second, 0 for no bound of its own

	state string // of the campaign when it was read
}

// addressee is what is sealed in a row of a campaign.
type addressee struct {
	To        string `json:"to"`
	FirstName string `json:"first_name,omitempty"`
}

// placeholder is {name}, or {name|what stands there for whoever has none}.
var placeholder = regexp.MustCompile(`\{([a-z_]+)(?:\|([^{}\r\n]*))?\}`)

// check refuses what cannot be sent, with the field and the reason.
func (n notice) check() error {
	switch {
	case strings.TrimSpace(n.Subject) == "" || utf8.RuneCountInString(n.Subject) > maxSubject || strings.ContainsFunc(n.Subject, unicode.IsControl):
		return fault.Invalidate("subject", "invalid")
	case strings.TrimSpace(n.Text) == "":
		return fault.Invalidate("text", "required")
	case len(n.Text) > maxBody:
		return fault.Invalidate("text", "too_long")
	case len(n.HTML) > maxBody:
		return fault.Invalidate("html", "too_long")
	case n.Rate < 0 || n.Rate > MaxCampaignRate:
		return fault.Invalidate("rate", "invalid")
	}
	for field, text := range map[string]string{"subject": n.Subject, "text": n.Text, "html": n.HTML} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fault.Invalidate(field, "invalid")
		}
		for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
			if found[1] != "first_name" && found[1] != "app" {
				return fault.Invalidate(field, "no_placeholder_"+found[1])
			}
		}
	}
	return nil
}

// fill puts names in the place of placeholders. Escape makes them harmless where they go.
func fill(text string, names map[string]string, escape func(string) string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		part := placeholder.FindStringSubmatch(found)
		value, known := names[part[1]]
		if !known {
			return found
		}
		if value == "" {
			value = part[2]
		}
		return escape(value)
	})
}

// noticeLayout is the letter of a campaign whose operator wrote no HTML. Its words are the
// text part's.
const noticeLayout = `<!doctype html>
<html{{with .Lang}} lang="{{.}}"{{end}}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{{.Subject}}</title>
<style>
body{margin:0;padding:32px 16px;background:#f5f4ef;color:#141a18;font:16px/24px ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:440px;margin:0 auto;padding:32px;background:#fff;border:1px solid #e4e4dd;border-radius:24px}
p{margin:0 0 16px;white-space:pre-line;overflow-wrap:anywhere}
.foot{max-width:440px;margin:16px auto 0;color:#646e6a;font-size:12px;line-height:16px;text-align:center}
@media (prefers-color-scheme:dark){
body{background:#0b0e0d;color:#edf2f0}
main{background:#131716;border-color:#262c2a}
.foot{color:#8a9691}
}
</style>
</head>
<body>
<main>
{{range .Paragraphs}}<p dir="auto">{{.}}</p>
{{end}}</main>
<p class="foot">{{.Foot}}</p>
</body>
</html>
`

var noticeTemplate = template.Must(template.New("campaign").Parse(noticeLayout))

// notice renders the letter of a campaign for one person.
func (r *Renderer) notice(n *notice, firstName, locale string) (mail.Message, error) {
	names := map[string]string{"first_name": plainName(firstName), "app": r.app}
	same := func(s string) string { return s }
	say := r.catalogue.For(r.catalogue.Match(locale, "", ""))
	foot := say.Text("letter.foot", "app", r.app, "host", r.host)
	body := strings.TrimSpace(strings.ReplaceAll(n.Text, "\r\n", "\n"))
	m := mail.Message{Subject: oneLine(fill(n.Subject, names, same)), Text: fill(body, names, same) + "\n\n" + foot + "\n"}
	if n.HTML != "" {
		m.HTML = fill(n.HTML, names, html.EscapeString)
		return m, nil
	}
	var out bytes.Buffer
	err := noticeTemplate.Execute(&out, map[string]any{
		"Subject": m.Subject, "Foot": foot, "Lang": "", "Paragraphs": paragraphs(fill(body, names, same)),
	})
	if err != nil {
		return m, fmt.Errorf("letters: %w", err)
	}
	m.HTML = out.String()
	return m, nil
}

var blankLines = regexp.MustCompile(`\n[ \t]*\n\s*`)

func paragraphs(text string) []string { return blankLines.Split(text, -1) }

// writeNotice makes the letter of a row that belongs to a campaign.
func (p *Post) writeNotice(h *held, plain []byte) (mail.Message, error) {
	var who addressee
	if err := json.Unmarshal(plain, &who); err != nil || h.notice == nil {
		return mail.Message{}, errUnsealed
	}
	h.to = who.To
	switch h.notice.state {
	case store.CampaignPaused:
		return mail.Message{}, errHeld
	case store.CampaignCancelled:
		return mail.Message{}, errCancelled
	}
	m, err := p.Render.notice(h.notice, who.FirstName, h.Locale)
	m.To = who.To
	return m, err
}

func (p *Post) sealNotice(id string, n notice) (string, error) {
	plain, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(p.Sealer.Seal(id, plain)), nil
}

func (p *Post) openNotice(c store.Campaign) (*notice, error) {
	sealed, err := base64.RawStdEncoding.DecodeString(c.Content)
	if err != nil {
		return nil, errUnsealed
	}
	plain, err := p.Sealer.Open(c.ID, sealed)
	if err != nil {
		return nil, errUnsealed
	}
	n := &notice{state: c.State}
	return n, json.Unmarshal(plain, n)
}

// longestSpan keeps a span of days from running over.
const longestSpan = 100 * 365 * 24 * time.Hour

// Segment says whom a campaign is for.
type Segment struct {
	kind, value string
	span        time.Duration
}

// ParseSegment reads all, role:NAME, locale:TAG or signed-in-since:DURATION. It refuses
// with invalid_request. A duration is written 90d, or as Go writes it.
func ParseSegment(text string) (Segment, error) {
	kind, value, valued := strings.Cut(text, ":")
	s := Segment{kind: kind, value: value}
	switch {
	case kind == "all" && !valued:
		return s, nil
	case (kind == "role" || kind == "locale") && value != "" && len(value) <= 64:
		return s, nil
	case kind == "signed-in-since" && valued:
		span, err := time.ParseDuration(value)
		if days, ok := strings.CutSuffix(value, "d"); ok {
			var n int
			n, err = strconv.Atoi(days)
			span = time.Duration(min(n, 40_000)) * 24 * time.Hour
		}
		if err == nil && span > 0 && span <= longestSpan {
			s.span = span
			return s, nil
		}
	}
	return s, fault.Invalidate("segment", "invalid")
}

// has reports whether a person belongs to the segment at that time.
func (s Segment) has(r store.Recipient, at time.Time) bool {
	switch s.kind {
	case "all":
		return true
	case "role":
		return slices.Contains(r.Roles, s.value)
	case "locale":
		tag, want := strings.ToLower(r.Locale), strings.ToLower(s.value)
		return tag == want || strings.HasPrefix(tag, want+"-")
	case "signed-in-since":
		return !r.LastSignInAt.IsZero() && !r.LastSignInAt.Before(at.Add(-s.span))
	}
	return false
}

// letterID is the id of the letter that a person gets of a campaign: always the same, so
// that none is written twice. It begins with the time of the campaign, as every id begins
// with its own.
func letterID(campaign string, who account.ID) string {
	_, tail, _ := strings.Cut(campaign, "_")
	id, _ := secret.DecodeID(tail)
	sum := digest(campaign, string(who))
	copy(id[6:], sum[:10])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return "msg_" + secret.EncodeID(id)
}
