package postgres

import "context"

// spreadSQL gives sorts and joins a quarter of the memory that the server's owner grants to
// its upkeep, of which a hash that three processes share takes six times its setting. By
// the setting for everyday queries they would go by way of the disk.
const spreadSQL = `select set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')),
	pg_size_bytes(current_setting('maintenance_work_mem')) / 4) / 1024 || 'kB', $1)`

func (p *publishing) spread(ctx context.Context) error {
	_, err := p.tx.Exec(ctx, spreadSQL, true)
	return err
}

func (l *lane) spread(ctx context.Context) error {
	_, err := l.conn.Exec(ctx, spreadSQL, false)
	return err
}
