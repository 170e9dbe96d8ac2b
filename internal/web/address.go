package web

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// clientAddress is where the request comes from. X-Forwarded-For is walked from right to
// left, as long as the hop that wrote an entry is a listed proxy. The first address that
// is none is the client. An entry that is no address ends the walk at the last trusted
// hop: it is never taken for a client, and never skipped (CVE-2024-47070).
func (h *Hallway) clientAddress(r *http.Request) netip.Addr {
	peer := peerOf(r.RemoteAddr)
	forwarded := r.Header["X-Forwarded-For"]
	if len(forwarded) == 0 {
		return peer
	}
	if len(h.TrustedProxies) == 0 {
		h.addresses.see(h.Log, peer)
		return peer
	}
	return walk(peer, forwarded, h.TrustedProxies)
}

func peerOf(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // a Unix socket
	}
	return ap.Addr().Unmap().WithZone("")
}

// walk follows headers, the lines of X-Forwarded-For in order, from peer towards the
// client.
func walk(peer netip.Addr, headers []string, trusted []netip.Prefix) netip.Addr {
	at := peer
	for i := len(headers) - 1; i >= 0; i-- {
		rest := headers[i]
		for more := true; more; {
			if !within(at, trusted) {
				return at
			}
			var entry string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, entry = rest[:comma], rest[comma+1:]
			} else {
				entry, more = rest, false
			}
			next, ok := parseHop(strings.Trim(entry, " \t"))
			if !ok {
				return at
			}
			at = next
		}
	}
	return at
}

// parseHop reads an address, with or without a port as some proxies write it.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = ap.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// suspicious is how many forwarded requests from one private address, and none from
// another, are a forgotten setting.
const suspicious = 1000

// addressWatch notices a reverse proxy that nobody listed: every client would share one
// address, and so one limit.
type addressWatch struct {
	mu    sync.Mutex // guards the rest, for a few instructions
	only  netip.Addr
	count int // -1: nothing to see any more
}

func (w *addressWatch) see(log *slog.Logger, peer netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count < 0 {
		return
	}
	if w.count == 0 {
		w.only = peer
	}
	if peer != w.only || peer.IsValid() && !peer.IsPrivate() && !peer.IsLoopback() {
		w.count = -1
		return
	}
	w.count++
	if w.count < suspicious {
		return
	}
	w.count = -1
	log.Warn("every client has one address: list your reverse proxy in trusted-proxies, or limits hit all clients together",
		slog.String("address", peer.String()))
}
