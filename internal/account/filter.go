package account

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onetimelogin/otl/internal/otl"
)

// Bounds of a filter (SC-06).
const (
	MaxFilter      = 1024 // bytes
	maxFilterTerms = 20   // comparisons
	maxFilterDepth = 10   // brackets within brackets
)

// ParseFilter reads a filter in the grammar of RFC 7644 section 3.4.2.2, without
// complex attributes. Names maps the names of a wire, in lower case, to attributes, and
// truths its words for true and false. The error names the field and what is wrong
// where, never a value.
func ParseFilter(field, s string, names map[string]otl.Attribute, truths map[string]bool) (otl.Filter, error) {
	p := filterParser{field: field, names: names, truths: truths}
	if len(s) > MaxFilter || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return otl.Filter{}, otl.InvalidField(field, "too_long", "must be at most "+strconv.Itoa(MaxFilter)+" bytes of UTF-8 without NUL")
	}
	if err := p.split(s); err != nil {
		return otl.Filter{}, err
	}
	f, err := p.alternatives(0)
	if err == nil && p.at < len(p.words) {
		err = p.bad("an operator is missing")
	}
	return f, err
}

// filterParser reads the words of a filter from left to right.
type filterParser struct {
	field  string
	names  map[string]otl.Attribute
	truths map[string]bool
	words  []string // a quoted text keeps its quotes
	at     int
	terms  int
}

func (p *filterParser) bad(text string) error {
	return otl.InvalidField(p.field, "bad_filter", "is no filter: word "+strconv.Itoa(p.at+1)+", "+text)
}

// split cuts a filter into words, brackets and quoted texts.
func (p *filterParser) split(s string) error {
	for s != "" {
		n := 1
		switch c := s[0]; c {
		case ' ', '\t':
			s = s[1:]
			continue
		case '(', ')':
		case '"':
			for n < len(s) && s[n] != '"' {
				if s[n] == '\\' {
					n++
				}
				n++
			}
			if n++; n > len(s) {
				p.at = len(p.words)
				return p.bad("a text is not ended")
			}
		default:
			if n = strings.IndexAny(s, " \t()\""); n < 0 {
				n = len(s)
			}
		}
		p.words = append(p.words, s[:n])
		s = s[n:]
	}
	return nil
}

// next takes a word if it is this one, whatever its case.
func (p *filterParser) next(word string) bool {
	if p.at < len(p.words) && strings.EqualFold(p.words[p.at], word) {
		p.at++
		return true
	}
	return false
}

// take gives the next word, "" after the last one.
func (p *filterParser) take() string {
	if p.at++; p.at > len(p.words) {
		return ""
	}
	return p.words[p.at-1]
}

func (p *filterParser) alternatives(depth int) (otl.Filter, error) {
	return p.list(otl.OpOr, func() (otl.Filter, error) {
		return p.list(otl.OpAnd, func() (otl.Filter, error) { return p.condition(depth) })
	})
}

// list reads parts joined by one operator; a single part stands for itself.
func (p *filterParser) list(op otl.Op, part func() (otl.Filter, error)) (otl.Filter, error) {
	var all []otl.Filter
	for {
		one, err := part()
		if err != nil {
			return one, err
		}
		if all = append(all, one); !p.next(string(op)) {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return otl.Filter{Op: op, Parts: all}, nil
}

func (p *filterParser) condition(depth int) (otl.Filter, error) {
	not := p.next(string(otl.OpNot))
	if !p.next("(") {
		if not {
			return otl.Filter{}, p.bad("a bracket belongs after not")
		}
		return p.comparison()
	}
	if depth++; depth > maxFilterDepth {
		return otl.Filter{}, p.bad("more than " + strconv.Itoa(maxFilterDepth) + " brackets within brackets")
	}
	f, err := p.alternatives(depth)
	if err == nil && !p.next(")") {
		err = p.bad("a bracket is not closed")
	}
	if err == nil && not {
		f = otl.Filter{Op: otl.OpNot, Parts: []otl.Filter{f}}
	}
	return f, err
}

func (p *filterParser) comparison() (otl.Filter, error) {
	if p.terms++; p.terms > maxFilterTerms {
		return otl.Filter{}, p.bad("more than " + strconv.Itoa(maxFilterTerms) + " comparisons")
	}
	attr, known := p.names[strings.ToLower(p.take())]
	if !known {
		p.at--
		return otl.Filter{}, p.bad("not an attribute that can be searched")
	}
	f := otl.Filter{Attr: attr, Op: otl.Op(strings.ToLower(p.take()))}
	if !attr.Takes(f.Op) {
		p.at--
		return f, p.bad("the attribute takes " + attr.Operators())
	}
	if f.Op == otl.OpPresent {
		return f, nil
	}
	return p.value(f)
}

// value reads what an attribute is compared with: JSON, as the grammar has it.
func (p *filterParser) value(f otl.Filter) (otl.Filter, error) {
	var v any
	if err := json.Unmarshal([]byte(p.take()), &v); err != nil {
		p.at--
		return f, p.bad("a value belongs here: a text in double quotes, a number, true or false")
	}
	var ok bool
	switch f.Attr {
	case otl.AttrActive:
		if f.Yes, ok = v.(bool); !ok {
			text, _ := v.(string)
			f.Yes, ok = p.truths[strings.ToLower(text)]
		}
	case otl.AttrCreated, otl.AttrUpdated, otl.AttrLastLogin:
		f.Time, ok = moment(v)
	default:
		if f.Text, ok = v.(string); ok && strings.ContainsRune(f.Text, 0) {
			ok = false
		}
	}
	if !ok {
		p.at--
		return f, p.bad("the attribute is not compared with such a value")
	}
	return f, nil
}

// maxMillis is far in the future and whole in every number format.
const maxMillis = 1 << 52

// moment reads a time: RFC 3339, or milliseconds since 1970.
func moment(v any) (time.Time, bool) {
	switch t := v.(type) {
	case float64:
		return time.UnixMilli(int64(t)).UTC(), t >= 0 && t < maxMillis
	case string:
		at, err := time.Parse(time.RFC3339, t)
		return at, err == nil && !at.IsZero() && at.Year() > 0 && at.Year() < 10000
	}
	return time.Time{}, false
}
