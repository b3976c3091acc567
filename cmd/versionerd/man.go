package main

import (
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"
	mangokong "github.com/alecthomas/mango-kong"
	"github.com/muesli/roff"

	"github.com/versioner-io/versioner/internal/buildinfo"
)

const manSection = 1

type manCommand struct{}

// Run prints the man page of all commands, with the date of the commit, so that a build can be reproduced.
func (manCommand) Run(command *kong.Context) error {
	date, err := buildinfo.Read().Time()
	if err != nil {
		date = time.Unix(0, 0).UTC()
	}
	describeFlags(command.Model.Node)
	page := mangokong.NewManPage(manSection, command.Model)
	_, err = fmt.Fprintln(os.Stdout, page.Build(datedDocument{Document: roff.NewDocument(), date: date}))
	return err //nolint:wrapcheck // names standard output
}

// describeFlags adds the defaults and the environment variables to the help of every flag.
func describeFlags(node *kong.Node) {
	for _, flag := range node.Flags {
		flag.Help = formatHelp(flag.Value)
	}
	for _, child := range node.Children {
		describeFlags(child)
	}
}

// datedDocument replaces the current time in the heading.
type datedDocument struct {
	*roff.Document

	date time.Time
}

// Heading writes the heading with the date of the document.
func (d datedDocument) Heading(section uint, title, description string, _ time.Time) {
	d.Document.Heading(section, title, description, d.date)
}
