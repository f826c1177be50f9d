//go:build unix

package sqlitefile

import (
	"io/fs"
	"syscall"

	"modernc.org/libc"
	engine "modernc.org/sqlite/lib"
)

// holds reports whether the file that the engine has open is this one. It asks the engine's
// own descriptor, which no change of names moves.
func (c *Conn) holds(info fs.FileInfo) bool {
	want, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	out := libc.Xmalloc(c.tls, 8)
	defer libc.Xfree(c.tls, out)
	if rc := engine.Xsqlite3_file_control(c.tls, c.db, 0, engine.SQLITE_FCNTL_FILE_POINTER, out); rc != engine.SQLITE_OK {
		return false
	}
	file := (*engine.TunixFile)(at(*(*uintptr)(at(out))))
	var have syscall.Stat_t
	return syscall.Fstat(int(file.Fh), &have) == nil && have.Dev == want.Dev && have.Ino == want.Ino
}
