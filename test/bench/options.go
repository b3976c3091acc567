package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Phases of a benchmark.
const (
	phaseMinimal       = "minimal"
	phaseServer        = "server"
	phaseAccounts      = "accounts"
	phaseEmpty         = "empty"
	phaseNotifications = "notifications"
	phaseBaseline      = "baseline"
	phaseTelemetry     = "telemetry"
)

func allPhases() []string {
	return []string{phaseMinimal, phaseServer, phaseAccounts, phaseEmpty, phaseNotifications, phaseBaseline, phaseTelemetry}
}

// middleConnections is the number of connections of the phases that are measured with one number only.
const middleConnections = 64

// options holds the values of the flags.
type options struct {
	Server      string        `json:"server"`
	Baseline    string        `json:"baseline,omitempty"`
	Runs        int           `json:"runs"`
	Duration    time.Duration `json:"duration_ns"`
	WarmUp      time.Duration `json:"warm_up_ns"`
	Mix         string        `json:"mix"`
	Accounts    int           `json:"accounts"`
	Connections []int         `json:"connections"`
	Phases      []string      `json:"phases"`
	JSON        string        `json:"-"`
	Profile     string        `json:"-"`
}

func parseOptions(args []string, output io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&o.Server, "server", "bin/versionerd", "server `binary` to measure")
	flags.StringVar(&o.Baseline, "baseline", "", "another server `binary` to compare with, such as an older one")
	flags.IntVar(&o.Runs, "runs", 5, "short `runs` of which each figure is the median")
	flags.DurationVar(&o.Duration, "duration", 3*time.Second, "measured `time` of a run")
	flags.DurationVar(&o.WarmUp, "warmup", time.Second, "`time` that a run takes before it is measured")
	flags.StringVar(&o.Mix, "mix", mixEnd, "events of a deployment: `end` (completed) or pair (started, completed)")
	flags.IntVar(&o.Accounts, "accounts", 200, "`number` of accounts of the phase accounts")
	flags.StringVar(&o.JSON, "json", "", "`file` to write all figures to")
	flags.StringVar(&o.Profile, "profile", "", "`file` to write a CPU profile to, of a server in this program instead of -server")
	connections := flags.String("connections", "1,8,64,256", "`numbers` of connections, separated by commas")
	only := flags.String("only", "", "`phases` to run, of "+strings.Join(allPhases(), ",")+" (default: all)")
	quick := flags.Bool("quick", false, "smoke run: one short round, whose figures are not meaningful")
	if err := flags.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // the flag package has reported it
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *quick {
		if err := setUnlessGiven(flags, map[string]string{"runs": "1", "duration": "1s", "warmup": "300ms", "accounts": "20"}); err != nil {
			return o, err
		}
	}
	var err error
	if o.Connections, err = parseNumbers(*connections); err != nil {
		return o, fmt.Errorf("-connections: %w", err)
	}
	o.Phases, err = parsePhases(*only)
	return o, errors.Join(err, o.validate())
}

func setUnlessGiven(flags *flag.FlagSet, values map[string]string) error {
	flags.Visit(func(f *flag.Flag) { delete(values, f.Name) })
	for name, value := range values {
		if err := flags.Set(name, value); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	return nil
}

func parseNumbers(text string) ([]int, error) {
	var numbers []int
	for part := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || number < 1 || number > 256 {
			return nil, fmt.Errorf("%q is not a number from 1 to 256", part)
		}
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

func parsePhases(text string) ([]string, error) {
	if text == "" {
		return allPhases(), nil
	}
	phases := strings.Split(text, ",")
	for _, phase := range phases {
		if !slices.Contains(allPhases(), phase) {
			return nil, fmt.Errorf("-only: there is no phase %q: use %s", phase, strings.Join(allPhases(), ", "))
		}
	}
	return phases, nil
}

func (o options) validate() error {
	switch {
	case o.Mix != mixEnd && o.Mix != mixPair:
		return fmt.Errorf("-mix: %q is neither %s nor %s", o.Mix, mixEnd, mixPair)
	case o.Runs < 1 || o.Accounts < 1:
		return errors.New("-runs and -accounts: use positive numbers")
	case o.Duration <= 0 || o.WarmUp < 0:
		return errors.New("-duration and -warmup: use positive durations")
	}
	return nil
}

func (o options) has(phase string) bool { return slices.Contains(o.Phases, phase) }

// baselineConnections leaves out 8 connections.
func (o options) baselineConnections() []int {
	return slices.DeleteFunc(slices.Clone(o.Connections), func(n int) bool { return n == 8 })
}
