package gapi

import "strings"

// operand is the value of a term: the texts before, between and behind its stars.
type operand []string

// text is the value as it was meant, for fields in which no star stands for anything.
func (o operand) text() string { return strings.Join(o, "*") }

func (o operand) wild() bool { return len(o) > 1 }

// star reports whether it is one and nothing else.
func (o operand) star() bool { return len(o) == 2 && o.text() == "*" }

// matches reports whether a text is this one, its stars standing for any.
func (o operand) matches(text string) bool {
	if !o.wild() {
		return text == o[0]
	}
	last := len(o) - 1
	text, found := strings.CutPrefix(text, o[0])
	if !found {
		return false
	}
	for _, part := range o[1:last] {
		_, text, found = strings.Cut(text, part)
		if !found {
			return false
		}
	}
	return strings.HasSuffix(text, o[last])
}

// operand reads a value, bare or in quotes. A backslash takes away what the character
// behind it means.
func (p *filterParser) operand() operand {
	from := p.at
	var o operand
	switch {
	case p.mark(`"`):
		o = p.quoted('"', from)
	case p.mark(`'`):
		o = p.quoted('\'', from)
	default:
		o = p.until(bareEnd)
		if p.at == from {
			p.fail(from, "a value is missing")
		}
	}
	if p.err == nil && p.rest() != "" && !strings.ContainsAny(p.rest()[:1], " \t\r\n)") {
		p.fail(p.at, "a space is missing, or quotes around the value")
	}
	return o
}

// bareEnd are the characters that a value has only in quotes.
const bareEnd = " \t\r\n()\"'=<>!,"

func (p *filterParser) quoted(quote rune, from int) operand {
	o := p.until(string(quote))
	if !p.mark(string(quote)) {
		p.fail(from, "the quote is never closed")
	}
	return o
}

// until reads up to one of the characters of end.
func (p *filterParser) until(end string) operand {
	var o operand
	var b strings.Builder
	for ; p.rest() != "" && !strings.ContainsAny(p.rest()[:1], end); p.at++ {
		c := p.rest()[0]
		switch {
		case c == '*':
			o = append(o, b.String())
			b.Reset()
			continue
		case c == '\\' && len(p.rest()) == 1:
			p.fail(p.at, "the backslash has nothing behind it")
		case c == '\\':
			p.at++
			c = p.rest()[0]
		}
		b.WriteByte(c)
	}
	return append(o, b.String())
}
