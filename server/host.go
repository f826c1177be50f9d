package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hosts are the names that this server goes by. A request for any other name may come from
// a page whose own name was made to lead here (DNS rebinding).
type hosts map[string]bool

func newHosts(more []string) hosts {
	h := hosts{"localhost": true, "127.0.0.1": true, "::1": true}
	for _, name := range more {
		h[canonical(name)] = true
	}
	return h
}

// know reports whether the request is meant for this server. The very address it came to is
// one: no page's name can be an address.
func (h hosts) know(r *http.Request) bool {
	name := canonical(r.Host)
	if h[name] {
		return true
	}
	asked, err := netip.ParseAddr(name)
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if err != nil || local == nil {
		return false
	}
	came, err := netip.ParseAddrPort(local.String())
	return err == nil && came.Addr().Unmap() == asked.Unmap()
}

// canonical is a host without port, brackets, and the dot of a full name.
func canonical(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

func misdirected(w http.ResponseWriter, r *http.Request) {
	text := fmt.Sprintf("this server does not go by the name %q; its configuration may give it more names: hosts", canonical(r.Host))
	http.Error(w, text, http.StatusMisdirectedRequest)
}
