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
	barLabels = 40 // columns beside the bar
)

// Progress reports the number of written events: on a terminal as a bar, elsewhere as a line for each quarter.
type Progress struct {
	out      io.Writer
	columns  int // of the terminal; 0 without one
	total    int
	reported int // percent, or quarters
}

// NewProgress returns a progress of total events.
func NewProgress(out io.Writer, columns, total int) *Progress {
	return &Progress{out: out, columns: columns, total: total}
}

// Report sets the number of written events.
func (p *Progress) Report(done int) {
	percent := 100
	if p.total > 0 {
		percent = 100 * done / p.total
	}
	if p.columns > 0 {
		if percent > p.reported || done == 0 {
			p.draw(percent, done)
		}
		p.reported = percent
		return
	}
	if quarter := percent * quarters / 100; quarter > p.reported {
		p.reported = quarter
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
	if p.columns > 0 && p.reported > 0 {
		fmt.Fprintln(p.out)
	}
}

// grouped formats a number with thousands separators: 4,012.
func grouped(number int) string {
	if number < 1000 {
		return strconv.Itoa(number)
	}
	return fmt.Sprintf("%s,%03d", grouped(number/1000), number%1000)
}
