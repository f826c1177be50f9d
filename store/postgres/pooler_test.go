package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// pooler stands before a server as one in transaction mode does: for every transaction a
// client gets another server connection, without knowing.
type pooler struct {
	t      *testing.T
	dsn    string
	listen net.Listener
	idle   chan *pgconn.HijackedConn
	wg     sync.WaitGroup
	mu     sync.Mutex
	open   map[net.Conn]bool
}

// newPooler returns the URL of a pooler with a few connections to dsn.
func newPooler(t *testing.T, dsn string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pooler{t: t, dsn: dsn, listen: l, idle: make(chan *pgconn.HijackedConn, 4), open: map[net.Conn]bool{}}
	for range cap(p.idle) {
		p.idle <- p.connect()
	}
	p.wg.Go(p.serve)
	t.Cleanup(p.close)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.Addr().String()
	return u.String()
}

func (p *pooler) connect() *pgconn.HijackedConn {
	c, err := pgconn.Connect(context.Background(), p.dsn)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	h, err := c.Hijack()
	if err != nil {
		p.t.Error(err)
	}
	return h
}

func (p *pooler) close() {
	_ = p.listen.Close()
	p.mu.Lock()
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
	for range cap(p.idle) {
		if h := <-p.idle; h != nil {
			_ = h.Conn.Close()
		}
	}
}

func (p *pooler) serve() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.open[c] = true
		p.mu.Unlock()
		p.wg.Go(func() {
			defer func() {
				p.mu.Lock()
				delete(p.open, c)
				p.mu.Unlock()
				_ = c.Close()
			}()
			client := pgproto3.NewBackend(c, c)
			if p.greet(c, client) == nil {
				_ = p.relay(client)
			}
		})
	}
}

// greet lets a client in. What it wants to cancel it may not.
func (p *pooler) greet(c net.Conn, client *pgproto3.Backend) error {
	for {
		m, err := client.ReceiveStartupMessage()
		if err != nil {
			return err
		}
		switch m.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := c.Write([]byte{'N'}); err != nil {
				return err
			}
			continue
		case *pgproto3.CancelRequest:
			return errors.New("not here")
		}
		client.Send(&pgproto3.AuthenticationOk{})
		for k, v := range map[string]string{"client_encoding": "UTF8", "standard_conforming_strings": "on", "server_version": "15.0"} {
			client.Send(&pgproto3.ParameterStatus{Name: k, Value: v})
		}
		client.Send(&pgproto3.BackendKeyData{ProcessID: rand.Uint32(), SecretKey: []byte{1, 2, 3, 4}})
		client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		return client.Flush()
	}
}

// relay hands a client's messages to a server connection until that is idle again.
func (p *pooler) relay(client *pgproto3.Backend) error {
	var server *pgconn.HijackedConn
	defer func() {
		if server != nil { // the client has gone in the middle
			_ = server.Conn.Close()
			p.idle <- p.connect()
		}
	}()
	for {
		m, err := client.Receive()
		if err != nil {
			return err
		}
		if _, end := m.(*pgproto3.Terminate); end {
			return nil
		}
		if server == nil {
			server = p.take()
		}
		server.Frontend.Send(m)
		switch m.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
			status, err := answer(client, server)
			if err != nil {
				return err
			}
			if status == 'I' {
				p.idle <- server
				server = nil
			}
		}
	}
}

// take picks a connection that is not the one which was used last.
func (p *pooler) take() *pgconn.HijackedConn {
	a := <-p.idle
	for range rand.IntN(cap(p.idle)) {
		select {
		case b := <-p.idle:
			p.idle <- a
			a = b
		default:
		}
	}
	return a
}

func answer(client *pgproto3.Backend, server *pgconn.HijackedConn) (byte, error) {
	if err := server.Frontend.Flush(); err != nil {
		return 0, err
	}
	for {
		m, err := server.Frontend.Receive()
		if err != nil {
			return 0, err
		}
		client.Send(m)
		if ready, ok := m.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus, client.Flush()
		}
	}
}
