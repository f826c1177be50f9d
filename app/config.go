package app

import (
	"fmt"
	"io"
	"os"

	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/client"
)

// maxConfig bounds configuration that comes in through a pipe.
const maxConfig = 4 << 20

// ReadConfig reads the configuration files at paths: YAML files, folders of them, or "-"
// for what comes in.
func ReadConfig(paths []string, in io.Reader) (out []client.File, err error) {
	for _, path := range paths {
		if path == "-" {
			f, err := readPiped(in)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
			continue
		}
		files, err := catalog.ReadFiles(path)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			out = append(out, client.File{Name: f.Name, Text: string(f.Text), Dir: f.Dir})
		}
	}
	return out, nil
}

func readPiped(in io.Reader) (client.File, error) {
	dir, err := os.Getwd()
	if err != nil {
		return client.File{}, fmt.Errorf("where this is: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxConfig))
	return client.File{Name: "standard input", Text: string(text), Dir: dir}, err
}
