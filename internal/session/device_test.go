package session_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/session"
)

func TestDeviceOf(t *testing.T) {
	const apple, blink = "AppleWebKit/605.1.15 (KHTML, like Gecko) ", "AppleWebKit/537.36 (KHTML, like Gecko) "
	for _, c := range []struct{ in, name, os, browser, kind string }{
		{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux", "Linux", "Firefox", "desktop"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + blink + "Chrome/140.0.0.0 Safari/537.36", "Chrome on Windows", "Windows", "Chrome", "desktop"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + blink + "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows", "Windows", "Edge", "desktop"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + apple + "Version/18.5 Safari/605.1.15", "Safari on macOS", "macOS", "Safari", "desktop"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) " + apple + "Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iOS", "iOS", "Safari", "mobile"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) " + apple + "CriOS/140.0.0.0 Mobile/15E148 Safari/604.1", "Chrome on iOS", "iOS", "Chrome", "mobile"},
		{"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) " + apple + "Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iOS", "iOS", "Safari", "tablet"},
		{"Mozilla/5.0 (Linux; Android 15; Pixel 9) " + blink + "Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android", "Android", "Chrome", "mobile"},
		{"Mozilla/5.0 (Linux; Android 13; SM-S911B) " + blink + "SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36", "Samsung Browser on Android", "Android", "Samsung Browser", "mobile"},
		{"Mozilla/5.0 (Android 14; Tablet; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox on Android", "Android", "Firefox", "tablet"},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " + blink + "Chrome/140.0.0.0 Safari/537.36", "Chrome on ChromeOS", "ChromeOS", "Chrome", "desktop"},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", "", "Googlebot", "bot"},
		{"MyApp/1.0 (iPhone; iOS 18)", "MyApp on iOS", "iOS", "MyApp", "mobile"},
		{"curl/8.5.0", "curl", "", "curl", "cli"},
		{"Go-http-client/1.1", "Go", "", "Go", "cli"},
		{"python-requests/2.32.0", "Python", "", "Python", "cli"},
		{"Dart/3.4 (dart:io)", "Dart", "", "Dart", "other"},
		{"Mozilla/5.0", "", "", "", "other"},
		{"", "", "", "", "other"},
		// What a stranger would like the person to read.
		{"Visit http://evil.example now", "", "", "", "bot"},
		{"evil.example/1.0", "", "", "", "other"},
		{"<script>alert(1)</script>", "", "", "", "other"},
		{"Click here to win!/1.0 (X11; Linux)", "Linux", "Linux", "", "desktop"},
		{strings.Repeat("x", 509) + " (X11; Linux)", "", "", "", "other"}, // only so much is read
		{"\x00\xff\xfe", "", "", "", "other"},
	} {
		got := session.DeviceOf(c.in)
		if want := (session.Device{Name: c.name, OS: c.os, Browser: c.browser, Kind: c.kind}); got != want {
			t.Errorf("DeviceOf(%q) = %+v, want %+v", c.in, got, want)
		}
	}
}

func FuzzDeviceOf(f *testing.F) {
	for _, s := range []string{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "a/b (c; d) e/f", "((((", "http://x", strings.Repeat("a/1 ", 1000)} {
		f.Add(s)
	}
	plain := regexp.MustCompile(`^[A-Za-z0-9 _-]{0,64}$`)
	f.Fuzz(func(t *testing.T, s string) {
		d := session.DeviceOf(s)
		for _, part := range []string{d.Name, d.OS, d.Browser} {
			if !plain.MatchString(part) {
				t.Fatalf("DeviceOf(%q) shows %q", s, part)
			}
		}
		switch d.Kind {
		case session.KindDesktop, session.KindMobile, session.KindTablet, session.KindBot, session.KindCLI, session.KindOther:
		default:
			t.Fatalf("DeviceOf(%q) is a %q", s, d.Kind)
		}
	})
}

func TestLabelHasNoWords(t *testing.T) {
	for ua, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox, Linux",
		"curl/8.5.0": "curl", "Click here to win!/1.0 (X11; Linux)": "Linux", "": "",
	} {
		if got := session.DeviceOf(ua).Label(); got != want {
			t.Errorf("%q: %q, want %q", ua, got, want)
		}
	}
}
