package testserver

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

//go:embed opensearch elasticsearch
var searchSources embed.FS

// searchKind is a server that is put together from published libraries.
type searchKind struct {
	name    string
	java    int // the oldest that it runs on
	options []string
	// modules: what has to lie in a folder of its own, out of the class path.
	modules bool
}

var (
	openSearch    = &searchKind{name: "opensearch", java: 17}
	elasticsearch = &searchKind{
		name: "elasticsearch", java: 21, modules: true,
		options: []string{"--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "--add-modules=jdk.incubator.vector"},
	}
)

// build is a server that can be started.
type build struct {
	java, classPath, modules string
	options                  []string
}

var errNoJava = errors.New("no JDK or no Maven")

// build resolves and compiles the server once for each content of its folder, in the cache
// of this user. Tests of several packages may come to it at the same time.
func (k *searchKind) build() (*build, error) {
	jdk, err := findJDK(k.java)
	if err != nil {
		return nil, err
	}
	dir, err := k.cache()
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, err
	}
	b := &build{java: filepath.Join(jdk, "bin", "java"), options: k.options}
	if k.modules {
		b.modules = filepath.Join(dir, "modules")
	}
	if _, err := os.Stat(filepath.Join(dir, "done")); err != nil || !present(dir) {
		if err := k.make(jdk, dir); err != nil {
			return nil, err
		}
	}
	path, err := os.ReadFile(filepath.Join(dir, "classpath"))
	b.classPath = filepath.Join(dir, "classes") + ":" + string(path)
	return b, err
}

// cache is a folder named by what the server is made of.
func (k *searchKind) cache() (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	err = fs.WalkDir(searchSources, k.name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := searchSources.ReadFile(path)
		sum.Write(text)
		return err
	})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "syncline-testserver", k.name+"-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	return dir, os.MkdirAll(dir, 0o700)
}

// present reports whether the libraries are still where they were.
func present(dir string) bool {
	all, err := os.ReadFile(filepath.Join(dir, "all"))
	gone := func(jar string) bool { _, err := os.Stat(jar); return err != nil }
	return err == nil && !slices.ContainsFunc(strings.Split(string(all), ":"), gone)
}

func (k *searchKind) make(jdk, dir string) error {
	for _, made := range []string{"src", "classes", "root", "modules"} {
		if err := os.RemoveAll(filepath.Join(dir, made)); err != nil {
			return err
		}
	}
	part, err := fs.Sub(searchSources, k.name)
	if err != nil {
		return err
	}
	src := filepath.Join(dir, "src")
	if err := os.CopyFS(src, part); err != nil {
		return err
	}
	all := filepath.Join(dir, "all")
	err = tool(jdk, "mvn", "-B", "-q", "-ntp", "-Dstyle.color=never", "-f", filepath.Join(src, "pom.xml"), "dependency:build-classpath", "-Dmdep.outputFile="+all)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(all)
	if err != nil {
		return err
	}
	server, http := k.divide(strings.Split(strings.TrimSpace(string(text)), ":"))
	path := strings.Join(server, ":")
	javac := filepath.Join(jdk, "bin", "javac")
	err = tool(jdk, javac, "-proc:none", "-cp", path, "-d", filepath.Join(dir, "classes"), filepath.Join(src, "SearchServer.java"))
	if err == nil && k.modules {
		err = k.makeModules(jdk, dir, path, http)
	}
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "classpath"), []byte(path), 0o600), os.WriteFile(filepath.Join(dir, "done"), nil, 0o600))
}

// divide parts the libraries of modules from those of the server.
func (k *searchKind) divide(jars []string) (server, http []string) {
	for _, jar := range jars {
		if k.modules && (strings.Contains(jar, "/io/netty/") || strings.Contains(jar, "/transport-netty4/")) {
			http = append(http, jar)
		} else {
			server = append(server, jar)
		}
	}
	return server, http
}

// makeModules lays the modules out as the server loads them.
func (k *searchKind) makeModules(jdk, dir, path string, http []string) error {
	classes, jar := filepath.Join(dir, "root"), filepath.Join(dir, "root.jar")
	err := tool(jdk, filepath.Join(jdk, "bin", "javac"), "-proc:none", "-cp", path, "-d", classes, filepath.Join(dir, "src", "RootPlugin.java"))
	if err == nil {
		err = tool(jdk, filepath.Join(jdk, "bin", "jar"), "--create", "--file", jar, "-C", classes, ".")
	}
	if err != nil {
		return err
	}
	return errors.Join(
		k.module(dir, "transport-netty4", "org.elasticsearch.transport.netty4.Netty4Plugin", http),
		k.module(dir, "root", "RootPlugin", []string{jar}),
	)
}

var serverVersion = regexp.MustCompile(`<server.version>(.*)</server.version>`)

func (k *searchKind) module(dir, name, class string, jars []string) error {
	pom, err := searchSources.ReadFile(k.name + "/pom.xml")
	if err != nil {
		return err
	}
	version := string(serverVersion.FindSubmatch(pom)[1])
	folder := filepath.Join(dir, "modules", name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, jar := range jars {
		if err := os.Symlink(jar, filepath.Join(folder, filepath.Base(jar))); err != nil {
			return err
		}
	}
	properties := fmt.Sprintf("name=%s\ndescription=%[1]s\nversion=%s\nelasticsearch.version=%[2]s\njava.version=%d\nclassname=%s\n", name, version, k.java, class)
	return os.WriteFile(filepath.Join(folder, "plugin-descriptor.properties"), []byte(properties), 0o600)
}

// tool runs a program with the JDK that was found.
func tool(jdk, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "JAVA_HOME="+jdk)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, bytes.TrimSpace(out[max(0, len(out)-2000):]))
	}
	return nil
}

var javaVersion = regexp.MustCompile(`(?m)^JAVA_VERSION="(\d+)`)

// findJDK is the oldest JDK that will do, from where distributions put them or JAVA_HOME.
func findJDK(oldest int) (string, error) {
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errNoJava
	}
	found, _ := filepath.Glob("/usr/lib/jvm/*")
	if home := os.Getenv("JAVA_HOME"); home != "" {
		found = append(found, home)
	}
	best, of := "", 0
	for _, jdk := range found {
		if v := versionOf(jdk); v >= oldest && (best == "" || v < of) {
			best, of = jdk, v
		}
	}
	if best == "" {
		return "", fmt.Errorf("%w of version %d or later", errNoJava, oldest)
	}
	return best, nil
}

// versionOf is a JDK's version; 0 for what is none.
func versionOf(jdk string) int {
	release, err := os.ReadFile(filepath.Join(jdk, "release"))
	if err != nil {
		return 0
	}
	if _, err := os.Stat(filepath.Join(jdk, "bin", "javac")); err != nil {
		return 0
	}
	m := javaVersion.FindSubmatch(release)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1])) // digits
	return n
}
