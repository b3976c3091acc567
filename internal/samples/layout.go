package samples

import "strings"

// lineWidth is how long a line of a sample may be.
const lineWidth = 88

// piece is a part of an expression that stands on one line if there is room, and else is broken after its bracket, with a
// line for each of its parts.
type piece struct {
	lead        string // a name, a call
	open, close string
	space       string // inside the brackets, on one line
	parts       []piece
	trailing    bool // whether a comma follows the last part, when broken
}

func word(text string) piece { return piece{lead: text} }

// named puts a name before a piece.
func named(name string, p piece) piece {
	p.lead = name + p.lead
	return p
}

// line is the piece on one line.
func (p piece) line() string {
	if len(p.parts) == 0 {
		return p.lead + p.open + p.close
	}
	var parts []string
	for _, part := range p.parts {
		parts = append(parts, part.line())
	}
	return p.lead + p.open + p.space + strings.Join(parts, ", ") + p.space + p.close
}

// layout is the piece, on a line that has taken so many columns already and will need so many more, indented by so many
// levels of that unit.
func (p piece) layout(unit string, level, taken, needed int) string {
	if line := p.line(); len(p.parts) == 0 || taken+len(line)+needed <= lineWidth {
		return line
	}
	indent := strings.Repeat(unit, level+1)
	var text strings.Builder
	text.WriteString(p.lead + p.open + "\n")
	for i, part := range p.parts {
		text.WriteString(indent + part.layout(unit, level+1, len(indent), 1))
		if p.trailing || i < len(p.parts)-1 {
			text.WriteString(",")
		}
		text.WriteString("\n")
	}
	text.WriteString(strings.Repeat(unit, level) + p.close)
	return text.String()
}
