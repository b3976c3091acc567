package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

const fillSQL = "fill.sql"

// grow measures a server on an empty database, fills that database, and measures the same server process again: its connections still
// have the plans of the empty database, and only autovacuum updates the statistics. The minimal transaction is measured interleaved
// with both, to show how much the speed of the machine has changed.
func (b *bench) grow(ctx context.Context) error {
	fill, err := sqlFiles.ReadFile(fillSQL)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.note(phaseGrowth, "there is no test/bench/"+fillSQL)
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", fillSQL, err)
	case b.Growth == 0:
		return nil
	}
	s, tenants, err := b.startServer(ctx, "growth", b.Server, []string{"bench-growth"})
	if err != nil {
		return err
	}
	half := func(label, minimalLabel, round string) error {
		if err := b.postgres.checkpoint(ctx); err != nil {
			return err
		}
		measured := []*series{b.serverSeries(phaseGrowth, label, s, middleConnections, tenants)}
		if b.minimal != nil {
			beside := b.minimalSeries(minimalLabel, middleConnections)
			beside.phase = phaseGrowth
			measured = append(measured, beside)
		}
		b.series = append(b.series, measured...)
		return b.runRounds(ctx, measured, round)
	}
	if err := half(labelEmpty, labelEmptyMinimal, "before the growth, round"); err != nil {
		return err
	}
	if _, err := s.verify(ctx); err != nil {
		return err
	}
	before, err := countEvents(ctx, s.dsn)
	if err != nil {
		return err
	}
	b.logf("adding %d rows", b.Growth)
	settings := map[string]string{"bench.rows": strconv.Itoa(b.Growth), "bench.account": tenants[0].slug}
	if err := execute(ctx, s.dsn, settings, string(fill)); err != nil {
		return fmt.Errorf("%s: %w", fillSQL, err)
	}
	after, err := countEvents(ctx, s.dsn)
	if err != nil {
		return err
	}
	s.base += after - before
	return half(labelFull, labelFullMinimal, "after the growth, round")
}
