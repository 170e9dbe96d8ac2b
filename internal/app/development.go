package app

import "github.com/limenauth/limen/internal/pages"

// letterRows is the inbox as its page shows it.
func (a *App) letterRows() []pages.LetterRow {
	var rows []pages.LetterRow
	for _, m := range a.Inbox.Messages("", "") {
		rows = append(rows, pages.LetterRow{
			ID: m.ID, SMS: m.Channel == "sms", To: m.To, From: m.From, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Code: m.Code,
			Links: m.Links, SentAt: m.SentAt,
		})
	}
	return rows
}
