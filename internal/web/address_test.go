package web_test

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/limenauth/limen/internal/web"
)

func addressHall(t testing.TB, got *netip.Addr, trusted []netip.Prefix) hall {
	return openHall(t, func(h *web.Hallway) { h.TrustedProxies = trusted }, web.Table{{
		Pattern: "GET /", Guard: web.Anyone, Limit: web.Free(),
		Handle: web.Plain(func(c *web.Call) error { *got = c.IP; return nil }),
	}})
}

func (h hall) from(remote string, forwarded ...string) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = remote
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	r.Header.Set("Forwarded", "for=203.0.113.99")
	r.Header.Set("X-Real-Ip", "203.0.113.98")
	h.ServeHTTP(httptest.NewRecorder(), r)
}

func TestClientAddress(t *testing.T) {
	var got netip.Addr
	h := addressHall(t, &got, prefixes)
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "192.0.2.1:1", nil, "192.0.2.1"},
		{"a stranger's header", "192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"one proxy, no header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"a forged entry in front", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"over several headers", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"only proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"unparsable last", "10.0.0.1:1", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"unparsable before a proxy", "10.0.0.1:1", []string{"198.51.100.1, x, 10.0.0.2"}, "10.0.0.2"},
		{"empty", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"empty entry", "10.0.0.1:1", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"with port", "10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 with port", "[fd00::1]:1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"IPv4 in IPv6 as a proxy", "10.0.0.1:1", []string{"198.51.100.1, ::ffff:10.0.0.2"}, "198.51.100.1"},
		{"zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"leading zeros are no address", "10.0.0.1:1", []string{"198.051.100.1"}, "10.0.0.1"},
		{"a header of commas", "10.0.0.1:1", []string{strings.Repeat(",", 10000)}, "10.0.0.1"},
	} {
		h.from(c.remote, c.forwarded...)
		if got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	h.from("@", "198.51.100.1")
	if got.IsValid() {
		t.Errorf("a Unix socket gave %s", got)
	}
}

func TestNoProxiesBelieveNobody(t *testing.T) {
	var got netip.Addr
	h := addressHall(t, &got, nil)
	for _, remote := range []string{"127.0.0.1:1", "10.0.0.1:1", "192.0.2.1:1", "[::1]:1"} {
		h.from(remote, "198.51.100.1")
		if want := netip.MustParseAddrPort(remote).Addr(); got != want {
			t.Errorf("%s: %s", remote, got)
		}
	}
}

func TestForgottenProxyIsNoticed(t *testing.T) {
	const warning = "trusted-proxies"
	for _, c := range []struct {
		name string
		run  func(h hall)
		want int
	}{
		{"one private address", func(h hall) {
			for range 3000 {
				h.from("10.0.0.1:1", "198.51.100.1")
			}
		}, 1},
		{"not enough yet", func(h hall) {
			for range 999 {
				h.from("10.0.0.1:1", "198.51.100.1")
			}
		}, 0},
		{"without the header", func(h hall) {
			for range 2000 {
				h.from("10.0.0.1:1")
			}
		}, 0},
		{"several addresses", func(h hall) {
			h.from("10.0.0.2:1", "198.51.100.1")
			for range 2000 {
				h.from("10.0.0.1:1", "198.51.100.1")
			}
		}, 0},
		{"a public address", func(h hall) {
			for range 2000 {
				h.from("192.0.2.1:1", "198.51.100.1")
			}
		}, 0},
	} {
		var got netip.Addr
		h := addressHall(t, &got, nil)
		c.run(h)
		if n := strings.Count(h.log.String(), warning); n != c.want {
			t.Errorf("%s: warned %d times", c.name, n)
		}
	}
}

// FuzzForwarded: whatever the headers say, the client is the peer or an entry all of
// whose right neighbours are trusted; strangers choose nothing.
func FuzzForwarded(f *testing.F) {
	f.Add("10.0.0.1:1", "198.51.100.1, 10.0.0.2", "10.0.0.3")
	f.Add("192.0.2.1:1", "198.51.100.1", "")
	f.Add("10.0.0.1:1", ",,[::1]:80,fe80::1%a,::ffff:1.2.3.4", "x")
	var got netip.Addr
	h := addressHall(f, &got, prefixes)
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		h.log.Reset() // or it grows without end
		h.from(remote, first, second)
		ap, err := netip.ParseAddrPort(remote)
		if err != nil {
			if got.IsValid() {
				t.Fatalf("no peer, and yet %s", got)
			}
			return
		}
		peer := ap.Addr().Unmap().WithZone("")
		trusted := func(a netip.Addr) bool { return prefixes[0].Contains(a) || prefixes[1].Contains(a) }
		hops := append(strings.Split(first, ","), strings.Split(second, ",")...)
		want := peer
		for i := len(hops) - 1; i >= 0 && trusted(want); i-- {
			entry := strings.Trim(hops[i], " \t")
			a, err := netip.ParseAddr(entry)
			if err != nil {
				withPort, err := netip.ParseAddrPort(entry)
				if err != nil {
					break
				}
				a = withPort.Addr()
			}
			want = a.Unmap().WithZone("")
		}
		if got != want {
			t.Fatalf("%q %q %q: %s, want %s", remote, first, second, got, want)
		}
	})
}
