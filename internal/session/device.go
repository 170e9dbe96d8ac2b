package session

import (
	"slices"
	"strings"

	"github.com/mileusna/useragent"
)

// maxUserAgent is how much of a User-Agent header is read.
const maxUserAgent = 512

// DeviceOf reads a User-Agent header. The result is for a person to recognise their own
// devices by, and everything in it was claimed by the client: it proves nothing. It is
// safe to show: short words of letters, digits and hyphens only, so no client can write
// a sentence or a link into somebody's list of devices or into a letter.
func DeviceOf(userAgent string) Device {
	if len(userAgent) > maxUserAgent {
		userAgent = userAgent[:maxUserAgent]
	}
	userAgent = strings.TrimSpace(userAgent)
	if userAgent == "" {
		return Device{Kind: KindOther}
	}
	if browser := commandLine(userAgent); browser != "" {
		return Device{Name: browser, Browser: browser, Kind: KindCLI}
	}
	ua := useragent.Parse(userAgent)
	d := Device{OS: systemName(ua.OS), Browser: browserName(ua.Name)}
	switch {
	case ua.Bot:
		d.Kind = KindBot
	case ua.Tablet:
		d.Kind = KindTablet
	case ua.Mobile:
		d.Kind = KindMobile
	case ua.Desktop:
		d.Kind = KindDesktop
	default:
		d.Kind = KindOther
	}
	switch {
	case d.Browser != "" && d.OS != "":
		d.Name = d.Browser + " on " + d.OS
	default:
		d.Name = d.Browser + d.OS
	}
	return d
}

// commandLine names a program that has no window, by its product token (RFC 9110
// section 10.1.5).
func commandLine(userAgent string) string {
	product, _, _ := strings.Cut(userAgent, "/")
	product, _, _ = strings.Cut(product, " ")
	product = strings.ToLower(product)
	switch {
	case slices.Contains([]string{"curl", "wget", "httpie", "xh", "limen", "limenauth"}, product):
		return product
	case product == "go-http-client":
		return "Go"
	case product == "postmanruntime":
		return "Postman"
	case strings.HasPrefix(product, "python"):
		return "Python"
	case product == "node" || product == "undici" || product == "axios":
		return "Node"
	}
	return ""
}

func systemName(s string) string {
	switch s {
	case useragent.Windows, useragent.WindowsPhone, useragent.Android, useragent.MacOS, useragent.IOS,
		useragent.Linux, useragent.FreeBSD, useragent.ChromeOS, useragent.BlackBerry, useragent.Harmony:
		return s
	}
	return ""
}

// Label is the device in words that are the same in every language: "Firefox, Linux".
func (d Device) Label() string {
	if d.Browser != "" && d.OS != "" {
		return d.Browser + ", " + d.OS
	}
	return d.Name
}

// browserName lets known names through, and of a stranger the product token if it is
// one plain word.
func browserName(s string) string {
	switch s {
	case useragent.OperaMini, useragent.OperaTouch, useragent.HeadlessChrome, useragent.SamsungBrowser,
		useragent.FacebookApp, useragent.InstagramApp, useragent.TiktokApp, useragent.GoogleAdsBot,
		"Huawei Browser", "Miui Browser", "Android browser":
		return s
	}
	word, _, _ := strings.Cut(s, "/")
	switch word {
	case useragent.Mozilla, useragent.Version, useragent.Mobile, useragent.Tablet, "KHTML", "AppleWebKit", "Gecko":
		return "" // what every browser says
	}
	if len(word) == 0 || len(word) > 32 || !isLetter(word[0]) {
		return ""
	}
	for i := range len(word) {
		if c := word[i]; !isLetter(c) && (c < '0' || c > '9') && c != '-' && c != '_' {
			return ""
		}
	}
	return word
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
