// Command gen makes the Go messages and the discovery document of the Data Transfer API
// from the descriptors of the public client library and what they lack. It needs neither
// protoc nor .proto files. It is a module of its own so that Syncline does not require
// that library.
//
//	gen -go DIR -discovery DIR
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func main() {
	code := flag.String("go", ".", "folder of the Go package")
	docs := flag.String("discovery", ".", "folder of the discovery documents")
	flag.Parse()
	if err := generate(*code, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func generate(code, docs string) error {
	files, err := build(transferFile(), serviceFile(), partnerFile(), resourceFile(), locationFile())
	if err != nil {
		return err
	}
	if err := writeGo(code, files); err != nil {
		return err
	}
	doc, err := discover(files)
	if err != nil {
		return err
	}
	if err := doc.write(filepath.Join(docs, "discovery.json")); err != nil {
		return err
	}
	return bigquery().write(filepath.Join(docs, "discovery_v2.json"))
}

// build links files in their order, each with those before it.
func build(files ...*file) ([]protoreflect.FileDescriptor, error) {
	ours := &protoregistry.Files{}
	var built []protoreflect.FileDescriptor
	for _, f := range files {
		f, err := commented(f)
		if err != nil {
			return nil, err
		}
		d, err := protodesc.NewFile(f, known{ours})
		if err != nil {
			return nil, err
		}
		if err := ours.RegisterFile(d); err != nil {
			return nil, err
		}
		built = append(built, d)
	}
	return built, nil
}

// known finds in our files first: the public ones of the same names are linked in, too.
type known struct{ ours *protoregistry.Files }

func (k known) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if d, err := k.ours.FindFileByPath(path); err == nil {
		return d, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

func (k known) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if d, err := k.ours.FindDescriptorByName(name); err == nil {
		return d, nil
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}
