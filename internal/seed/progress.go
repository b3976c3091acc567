package seed

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	barWidth  = 40
	quarters  = 4
	barLabels = 40 // columns for what stands beside the bar
)

// Progress tells how many events of how many are done: on a terminal as a bar, that is drawn over itself; elsewhere as a
// line for each quarter.
type Progress struct {
	out     io.Writer
	columns int // of the terminal; 0: there is none
	total   int
	told    int // percent, or quarters
}

// NewProgress has told nothing yet.
func NewProgress(out io.Writer, columns, total int) *Progress {
	return &Progress{out: out, columns: columns, total: total}
}

// Tell says that so many are done.
func (p *Progress) Tell(done int) {
	percent := 100
	if p.total > 0 {
		percent = 100 * done / p.total
	}
	if p.columns > 0 {
		if percent > p.told || done == 0 {
			p.draw(percent, done)
		}
		p.told = percent
		return
	}
	if quarter := percent * quarters / 100; quarter > p.told {
		p.told = quarter
		fmt.Fprintf(p.out, "%s of %s events\n", grouped(done), grouped(p.total))
	}
}

func (p *Progress) draw(percent, done int) {
	width := max(0, min(barWidth, p.columns-barLabels))
	filled := width * percent / 100
	fmt.Fprintf(p.out, "\r[%s%s] %3d %%  %s of %s events", strings.Repeat("=", filled), strings.Repeat(" ", width-filled), percent, grouped(done), grouped(p.total))
}

// Close ends the bar's line.
func (p *Progress) Close() {
	if p.columns > 0 && p.told > 0 {
		fmt.Fprintln(p.out)
	}
}

// grouped writes a number as people read it: 4,012.
func grouped(number int) string {
	if number < 1000 {
		return strconv.Itoa(number)
	}
	return fmt.Sprintf("%s,%03d", grouped(number/1000), number%1000)
}
