// Command syncline moves data from sources to destinations and keeps a ledger of every run.
package main

import (
	"os"

	"github.com/synclinehq/syncline/cli"
)

func main() {
	os.Exit(cli.Main(cli.Interruptible(), os.Args[1:], cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
