package netguard

import "net/netip"

// class is what an address leads to, the more sensitive the greater.
type class int

const (
	internet class = iota
	around         // private networks
	here           // this machine
	never          // nobody's host
)

// block is a range of addresses of one class.
type block struct {
	netip.Prefix
	class class
}

// blocks are the ranges that are not the internet; the first that holds an address counts.
// https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
var blocks = []block{
	// Where clouds answer with keys and configuration, in whatever range they chose.
	in("169.254.0.0/16", never), in("fe80::/10", never), // link-local, 169.254.169.254 above all
	in("100.100.100.200/32", never), // Alibaba
	in("168.63.129.16/32", never),   // Azure, among public addresses
	in("192.0.0.192/32", never),     // Oracle
	in("fd00:ec2::/32", never),      // Amazon
	in("fd20:ce::/32", never),       // Google
	in("fd00:42::/32", never),       // Scaleway

	in("127.0.0.0/8", here), in("::1/128", here),
	in("0.0.0.0/32", here), in("::/128", here), // the system takes them for loopback
	in("0.0.0.0/8", never), in("224.0.0.0/4", never), in("240.0.0.0/4", never), in("ff00::/8", never),

	in("10.0.0.0/8", around), in("172.16.0.0/12", around), in("192.168.0.0/16", around), in("fc00::/7", around),
	in("100.64.0.0/10", around), // between a provider and its customers; overlay networks
	in("198.18.0.0/15", around), in("192.0.0.0/24", around), in("fec0::/10", around),
	in("64:ff9b:1::/48", around), // NAT64 of one network, which may put the address anywhere
}

func in(prefix string, c class) block { return block{netip.MustParsePrefix(prefix), c} }

// carrier is a range of IPv6 addresses that lead to an IPv4 address which stands in them
// from the given byte on.
type carrier struct {
	netip.Prefix
	at int
	// hidden: every bit of it is turned around.
	hidden bool
}

var carriers = []carrier{
	{Prefix: netip.MustParsePrefix("::/96"), at: 12},                   // IPv4-compatible
	{Prefix: netip.MustParsePrefix("::ffff:0:0:0/96"), at: 12},         // IPv4-translated
	{Prefix: netip.MustParsePrefix("64:ff9b::/96"), at: 12},            // NAT64
	{Prefix: netip.MustParsePrefix("64:ff9b:1::/48"), at: 12},          // the most usual place in it
	{Prefix: netip.MustParsePrefix("2002::/16"), at: 2},                // 6to4
	{Prefix: netip.MustParsePrefix("2001::/32"), at: 4},                // Teredo: its server
	{Prefix: netip.MustParsePrefix("2001::/32"), at: 12, hidden: true}, // and its client
}

// classify is the class of an address, or of what it carries if that is more sensitive:
// ::ffff:127.0.0.1 and 2002:7f00:1:: are this machine as well.
func classify(a netip.Addr) class {
	a = a.Unmap().WithZone("")
	found := lookUp(a)
	if a.Is4() || found == here {
		return found
	}
	raw := a.As16()
	for _, c := range carriers {
		if c.Contains(a) {
			found = max(found, lookUp(c.carried(raw)))
		}
	}
	if isatap(raw) {
		found = max(found, lookUp(netip.AddrFrom4([4]byte(raw[12:]))))
	}
	return found
}

func lookUp(a netip.Addr) class {
	for _, b := range blocks {
		if b.Contains(a) {
			return b.class
		}
	}
	return internet
}

func (c carrier) carried(raw [16]byte) netip.Addr {
	four := [4]byte(raw[c.at:])
	if c.hidden {
		for i := range four {
			four[i] = ^four[i]
		}
	}
	return netip.AddrFrom4(four)
}

// isatap reports whether an address ends in ::5efe and an IPv4 address, in any network.
func isatap(raw [16]byte) bool {
	return raw[8]&^3 == 0 && raw[9] == 0 && raw[10] == 0x5e && raw[11] == 0xfe
}
