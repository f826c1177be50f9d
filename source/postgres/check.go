package postgres

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/source"
)

// oldest is the oldest major version that the tests have seen.
const oldest = 120_000

// Check says what the server is and what the role may read.
func (s *Source) Check(ctx context.Context) (findings []source.Finding, err error) {
	err = s.ask(ctx, "look at the server", func(ctx context.Context, c *pgx.Conn) error {
		server, err := s.checkServer(ctx, c)
		if err != nil {
			return err
		}
		tables, err := s.checkTables(ctx, c)
		findings = slices.Concat(server, tables)
		return err
	})
	return findings, err
}

func (s *Source) checkServer(ctx context.Context, c *pgx.Conn) ([]source.Finding, error) {
	var version, encoding string
	var standby, encrypted bool
	err := c.QueryRow(ctx, `select current_setting('server_version'), current_setting('server_encoding'), pg_is_in_recovery(),
		coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)`).Scan(&version, &encoding, &standby, &encrypted)
	if err != nil {
		return nil, err
	}
	what := "primary"
	if standby {
		what = "standby"
	}
	findings := []source.Finding{{Level: source.OK, What: "connection", Text: fmt.Sprintf("PostgreSQL %s, %s, %s", version, what, s.settings.Where())}}
	if s.version < oldest {
		findings = append(findings, source.Finding{Level: source.Warn, What: "version", Text: "older than PostgreSQL 12", Remedy: "upgrade the server"})
	}
	if encoding != "UTF8" {
		findings = append(findings, source.Finding{Level: source.Warn, What: "encoding", Text: "the database is encoded in " + encoding, Remedy: "text that is not UTF-8 becomes a reject: see runs rejects"})
	}
	if !s.safeTLS(encrypted) {
		findings = append(findings, source.Finding{Level: source.Warn, What: "TLS", Text: "the server's identity is not checked (sslmode=" + s.settings.SSLMode + ")", Remedy: "add ?sslmode=verify-full to the URL, with sslrootcert if the authority is your own"})
	}
	return findings, nil
}

// safeTLS: nobody between here and the server can read or play it.
func (s *Source) safeTLS(encrypted bool) bool {
	host := s.settings.Host
	ip := net.ParseIP(host)
	local := strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
	return local || encrypted && strings.HasPrefix(s.settings.SSLMode, "verify")
}

func (s *Source) checkTables(ctx context.Context, c *pgx.Conn) ([]source.Finding, error) {
	all, err := relations(ctx, c)
	if err != nil {
		return nil, err
	}
	readable := 0
	var refused []string
	for _, r := range all {
		switch {
		case r.partition:
		case r.readable:
			readable++
		default:
			refused = append(refused, r.name.String())
		}
	}
	findings := []source.Finding{{Level: source.OK, What: "tables", Text: fmt.Sprintf("%d tables and views can be read", readable)}}
	if readable == 0 {
		findings[0].Level, findings[0].Remedy = source.Fail, "check the database's name, or grant select on its tables to "+ident(s.settings.User)
	}
	if len(refused) > 0 {
		const shown = 5
		findings = append(findings, source.Finding{
			Level: source.Warn, What: "privileges",
			Text:   fmt.Sprintf("role %s may not read %d, such as %s", s.settings.User, len(refused), strings.Join(refused[:min(len(refused), shown)], ", ")),
			Remedy: "grant usage on their schema and select on them to " + ident(s.settings.User) + ", or name the entities that are wanted",
		})
	}
	return findings, nil
}
