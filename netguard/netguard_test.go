package netguard_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/netguard"
)

// reaches is the least reach that lets an address through; forbidden: none does.
const forbidden = netguard.Loopback + 1

func least(network, address string) netguard.Reach {
	for to := netguard.Public; to < forbidden; to++ {
		if to.Check(network, address) == nil {
			return to
		}
	}
	return forbidden
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for want, all := range map[netguard.Reach]string{
		netguard.Public: `93.184.216.34 8.8.8.8 172.15.255.255 172.32.0.0 169.253.255.255 169.255.0.0 100.63.255.255 100.128.0.0 223.255.255.255
			11.0.0.0 9.255.255.255 126.255.255.255 128.0.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
			2606:2800:220:1::1 2a00:1450:4001::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1`,
		netguard.Private: `10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 100.64.0.1 100.127.255.255 198.18.0.1 192.0.0.8
			fd00::1 fc00::1 fdff:ffff::1 fec0::1 ::ffff:10.0.0.1 ::ffff:192.168.1.1 64:ff9b::10.0.0.1 2002:a00:1::1 ::10.0.0.1 64:ff9b:1::808:808
			2001:0:a00:1::f7f7:f7f7 2001:0:808:808::f5ff:fffe 2a00::5efe:10.0.0.1 ::ffff:0:10.0.0.1`,
		netguard.Loopback: `127.0.0.1 127.255.255.255 127.1.2.3 ::1 0.0.0.0 :: ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:0.0.0.0 64:ff9b::127.0.0.1 64:ff9b::7f00:1
			64:ff9b:1::7f00:1 2002:7f00:1:: ::127.0.0.1 2001:0:7f00:1::f7f7:f7f7 2001:0:808:808::80ff:fffe fd00::5efe:127.0.0.1 fd00::200:5efe:127.0.0.1 ::ffff:0:127.0.0.1`,
		forbidden: `169.254.169.254 169.254.0.1 169.254.170.2 ::ffff:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe:: ::169.254.169.254
			2001:0:a9fe:a9fe::1 2001:0:808:808::5601:5601 fe80::1 fe80::1%lo fe80::1%eth0 febf::1 fd00:ec2::254 fd20:ce::254 fd00:42::42
			100.100.100.200 168.63.129.16 192.0.0.192 ::ffff:168.63.129.16 0.0.0.1 0.255.255.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ff02::1`,
	} {
		for address := range strings.FieldsSeq(all) {
			a := netip.MustParseAddr(address)
			for _, said := range []string{netip.AddrPortFrom(a, 443).String(), a.String()} {
				if got := least("tcp", said); got != want {
					t.Errorf("%s: reached from %d on, not %d", said, got, want)
				}
			}
		}
	}
	for network, address := range map[string]string{"unix": "/run/postgresql/.s.PGSQL.5432", "unixgram": "@hidden"} {
		if got := least(network, address); got != netguard.Loopback {
			t.Errorf("%s %s: reached from %d on", network, address, got)
		}
	}
	for _, address := range []string{"", "localhost:80", "2130706433:80", "127.1:80", "0x7f000001:80", "[::1]", "127.0.0.1:80:80"} {
		if got := least("tcp", address); got != forbidden {
			t.Errorf("%q, which is not resolved, is reached from %d on", address, got)
		}
	}
}

// server answers every connection with a word.
func server(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "inside")
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l
}

func TestDial(t *testing.T) {
	t.Parallel()
	tcp, socket := server(t, "tcp", "127.0.0.1:0"), server(t, "unix", filepath.Join(t.TempDir(), "s"))
	_, port, err := net.SplitHostPort(tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:" + port}, {"tcp", "localhost:" + port}, {"tcp", "0.0.0.0:" + port}, {"tcp", "[::ffff:127.0.0.1]:" + port}, {"unix", socket.Addr().String()},
	} {
		for _, to := range []netguard.Reach{netguard.Public, netguard.Private} {
			_, err := to.Guard(&net.Dialer{})(t.Context(), c.network, c.address)
			r, ok := errors.AsType[*netguard.Refused](err)
			if !ok || r.Rule == "" || !strings.Contains(r.Hint, "allow_private") || !strings.Contains(err.Error(), strings.TrimSuffix(c.address, ":"+port)) && !strings.HasPrefix(c.address, "[") {
				t.Errorf("%d to %s: %v", to, c.address, err)
			}
		}
		conn, err := netguard.Loopback.Guard(&net.Dialer{})(t.Context(), c.network, c.address)
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		if said, err := io.ReadAll(conn); err != nil || string(said) != "inside" {
			t.Errorf("%s: %q, %v", c.address, said, err)
		}
		_ = conn.Close()
	}
}

// TestNamesAreJudgedByWhatTheyMeanNow: a name that meant a public address when it was
// looked at, and means this machine when it is dialed.
func TestNamesAreJudgedByWhatTheyMeanNow(t *testing.T) {
	t.Parallel()
	l := server(t, "tcp", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{
		"rebound.test": {"127.0.0.1"}, "metadata.test": {"169.254.169.254"}, "both.test": {"169.254.169.254", "127.0.0.1"},
	}
	d := &net.Dialer{Resolver: resolver(names)}
	for name, want := range map[string]string{"rebound.test": "this machine itself", "metadata.test": "metadata"} {
		_, err := netguard.Private.Guard(d)(t.Context(), "tcp", name+":"+port)
		r, ok := errors.AsType[*netguard.Refused](err)
		if !ok || r.Host != name || r.Address != names[name][0] || !strings.Contains(r.Error(), name) || !strings.Contains(r.Rule, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	conn, err := netguard.Loopback.Guard(d)(t.Context(), "tcp", "both.test:"+port)
	if err != nil {
		t.Fatalf("a name with one address within reach: %v", err)
	}
	_ = conn.Close()
}

// TestOddForms: what other programs take for addresses of this machine are names here, and
// nobody's.
func TestOddForms(t *testing.T) {
	t.Parallel()
	l := server(t, "tcp", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := &net.Dialer{Resolver: resolver(nil), Timeout: 5 * time.Second}
	for _, host := range []string{"2130706433", "0x7f000001", "017700000001", "127.1", "0x7f.1", "127.0.0.1.", "１２７.0.0.1", "①②⑦.0.0.1"} {
		conn, err := netguard.Private.Guard(d)(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err == nil {
			t.Errorf("%s leads to %s", host, conn.RemoteAddr())
			_ = conn.Close()
		}
	}
}

func TestTheDialersOwnControlIsKept(t *testing.T) {
	t.Parallel()
	l := server(t, "tcp", "127.0.0.1:0")
	stop := errors.New("stop")
	for _, d := range []*net.Dialer{
		{Control: func(string, string, syscall.RawConn) error { return stop }},
		{ControlContext: func(context.Context, string, string, syscall.RawConn) error { return stop }},
	} {
		if _, err := netguard.Loopback.Guard(d)(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	}
}

// resolver knows these names and says of others that there are none.
func resolver(names map[string][]string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answer(ours, names)
		return theirs, nil
	}}
}

// answer speaks DNS over a stream: a length, and a message whose answers follow its question.
func answer(c net.Conn, names map[string][]string) {
	defer func() { _ = c.Close() }()
	var size [2]byte
	for {
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		name, end := question(q)
		out := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
		if q[end-3] == 1 { // type A
			for _, a := range names[name] {
				out[7]++
				four := netip.MustParseAddr(a).As4()
				out = append(append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), four[:]...)
			}
		}
		if len(names[name]) == 0 {
			out[3] |= 3 // no such name
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}

func question(q []byte) (name string, end int) {
	var labels []string
	at := 12
	for q[at] != 0 {
		n := int(q[at])
		labels = append(labels, string(q[at+1:at+1+n]))
		at += 1 + n
	}
	return strings.Join(labels, "."), at + 5
}

// FuzzCheck: nothing panics, an address means the same however it is written, and a wider
// reach never refuses what a narrower one lets through.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"127.0.0.1:80", "[::ffff:169.254.169.254]:80", "[fe80::1%lo]:1", "2130706433", "", "[2002:7f00:1::]:443"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		to := least("tcp", address)
		for wider := to; wider < forbidden; wider++ {
			if err := wider.Check("tcp", address); err != nil {
				t.Fatalf("%q is reached by %d and not by %d: %v", address, to, wider, err)
			}
		}
		a, err := netip.ParseAddr(address)
		if err != nil || !a.Is4() {
			return
		}
		four := a.As4()
		for _, prefix := range []string{"::ffff:0:0", "64:ff9b::", "::ffff:0:0:0"} {
			raw := netip.MustParseAddr(prefix).As16()
			copy(raw[12:], four[:])
			if got := least("tcp", netip.AddrFrom16(raw).String()); got != to {
				t.Fatalf("%s is reached by %d, %s by %d", a, to, netip.AddrFrom16(raw), got)
			}
		}
	})
}
