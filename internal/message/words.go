package message

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"github.com/onetimelogin/otl/internal/otl"
)

//go:embed words/*.yaml
var wordFiles embed.FS

// tags are the languages there are words in; the first is that of everybody else.
var tags = []string{"en", "de", "fr", "es", "it", "pt-BR", "nl", "pl", "ja", "zh-Hans", "ar", "he"}

// catalogue holds the words of every language.
type catalogue struct {
	match language.Matcher
	words map[string]map[string]string
}

// load reads the words. They are part of the program: what is wrong with them is
// wrong at every start.
var load = sync.OnceValue(func() catalogue {
	c := catalogue{words: map[string]map[string]string{}}
	var known []language.Tag
	for _, tag := range tags {
		raw, err := wordFiles.ReadFile("words/" + tag + ".yaml")
		if err != nil {
			panic(err)
		}
		words := map[string]string{}
		if err := yaml.Unmarshal(raw, &words); err != nil {
			panic(fmt.Errorf("words/%s.yaml: %w", tag, err))
		}
		c.words[tag] = words
		known = append(known, language.Make(tag))
	}
	c.match = language.NewMatcher(known)
	return c
})

// wanted reads a wish, without what is no language in it.
func wanted(wish string) []language.Tag {
	want, _, err := language.ParseAcceptLanguage(wish)
	if err != nil {
		good := slices.DeleteFunc(strings.Split(wish, ","), func(one string) bool {
			_, _, err := language.ParseAcceptLanguage(one)
			return err != nil
		})
		want, _, _ = language.ParseAcceptLanguage(strings.Join(good, ",")) // none where nothing is left
	}
	return want
}

// maxWish bounds what it takes to read one, in bytes.
const maxWish = 300

// Voice says things in one language.
type Voice struct {
	Lang   string // BCP 47
	own    map[string]string
	backup map[string]string
	data   map[string]string
}

// Speak gives the voice of the language nearest to the first wish that names one
// there is: locales, or lists as in Accept-Language. Wishes of more than 300 bytes are
// passed over.
func Speak(data map[string]string, wishes ...string) Voice {
	c := load()
	tag := tags[0]
	for _, wish := range wishes {
		if len(wish) > maxWish {
			continue
		}
		if want := wanted(wish); len(want) > 0 {
			if _, i, sure := c.match.Match(want...); sure > language.No {
				tag = tags[i]
				break
			}
		}
	}
	return Voice{tag, c.words[tag], c.words[tags[0]], data}
}

// Say gives a text with its {members} filled in; one that is missing in a
// language is said in English.
func (v Voice) Say(key string) string {
	return v.fill(v.word(key))
}

// word gives a text as it stands in the file.
func (v Voice) word(key string) string {
	if text, ok := v.own[key]; ok {
		return text
	}
	return v.backup[key]
}

func (v Voice) fill(text string) string {
	var pairs []string
	for name, value := range v.data {
		switch name {
		case DataMinutes, DataLinkMinutes:
			value = v.minutes(value)
		case DataAttempts:
			value = v.count("attempts", value)
		case DataShared:
			value = v.fields(value)
		case DataLabel:
			value = v.factors(value)
		}
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// minutes says how long a number of minutes is: in hours from two on, where these are whole ones, for it is
// not to promise more. What is no number stays as it is.
func (v Voice) minutes(number string) string {
	if n, err := strconv.Atoi(number); err == nil && n >= 120 && n%60 == 0 {
		return v.count("hours", strconv.Itoa(n/60))
	}
	return v.count("minutes", number)
}

// count says a number of something in the form of the plural that the language has for it
// (CLDR, Unicode TR 35 part 3). What is no number stays as it is.
func (v Voice) count(noun, number string) string {
	n, err := strconv.Atoi(number)
	if err != nil {
		return number
	}
	form := "other"
	switch plural.Cardinal.MatchPlural(language.Make(v.Lang), n, 0, 0, 0, 0) {
	case plural.Zero:
		form = "zero"
	case plural.One:
		form = "one"
	case plural.Two:
		form = "two"
	case plural.Few:
		form = "few"
	case plural.Many:
		form = "many"
	}
	return strings.ReplaceAll(v.own[noun+"_"+form], "{n}", number)
}

// fields names fields of a profile.
func (v Voice) fields(stored string) string {
	var out []string
	for _, f := range otl.StoredFields(stored) {
		out = append(out, v.word("field_"+string(f)))
	}
	return strings.Join(out, v.word("comma"))
}

// Factor is a second factor that a message tells of.
type Factor struct {
	Kind otl.FactorKind
	Name string // what its person calls it; "" for nothing
}

// Factors writes factors as DataLabel has them: a line each, its kind and its name.
func Factors(all ...Factor) string {
	lines := make([]string, len(all))
	for i, f := range all {
		lines[i] = strings.TrimSpace(string(f.Kind) + " " + f.Name)
	}
	return strings.Join(lines, "\n")
}

// factors names factors as their person calls them, and those that he calls nothing by their kind.
// A line that begins with no kind is a name by itself.
func (v Voice) factors(stored string) string {
	lines := strings.Split(stored, "\n")
	for i, line := range lines {
		kind, name, _ := strings.Cut(line, " ")
		if word := v.word("way_" + kind); word != "" {
			lines[i] = cmp.Or(name, word)
		}
	}
	return strings.Join(lines, v.word("comma"))
}

// Day says a date as people write it, in UTC.
func (v Voice) Day(t time.Time) string {
	t = t.UTC()
	month := strings.Fields(v.own["months"])[t.Month()-1]
	return strings.NewReplacer("{day}", strconv.Itoa(t.Day()), "{month}", month, "{year}", strconv.Itoa(t.Year())).Replace(v.own["day_of"])
}

// Minute says a time to the minute as people write it, in UTC, which it names: of a browser
// without scripts nobody knows where it is.
func (v Voice) Minute(t time.Time) string {
	return strings.NewReplacer("{date}", v.Day(t), "{time}", t.UTC().Format("15:04\u00a0MST")).Replace(v.own["minute_of"])
}

// Wait says how long it is until something, and no less: in whole seconds below a minute, at least one,
// in whole minutes below two hours, and in whole hours from there on.
func (v Voice) Wait(d time.Duration) string {
	if seconds := (d + time.Second - 1) / time.Second; seconds < 60 {
		return v.count("seconds", strconv.Itoa(max(int(seconds), 1)))
	}
	if minutes := (d + time.Minute - 1) / time.Minute; minutes < 120 {
		return v.count("minutes", strconv.Itoa(int(minutes)))
	}
	return v.count("hours", strconv.Itoa(int((d+time.Hour-1)/time.Hour)))
}

// With gives a voice that has one member more.
func (v Voice) With(member, value string) Voice {
	data := maps.Clone(v.data)
	if data == nil {
		data = map[string]string{}
	}
	data[member] = value
	v.data = data
	return v
}

// Dir gives the direction the language is written in, as HTML has it.
func (v Voice) Dir() string {
	if v.Lang == "ar" || v.Lang == "he" {
		return "rtl"
	}
	return "ltr"
}

// Language is one there are words in.
type Language struct {
	Tag  string // BCP 47
	Name string // in itself
}

// Languages gives all languages there are words in.
func Languages() []Language {
	c := load()
	out := make([]Language, len(tags))
	for i, tag := range tags {
		out[i] = Language{tag, c.words[tag]["name"]}
	}
	return out
}

// Spoken reports whether there are words in the language of a tag, to the letter.
func Spoken(tag string) bool { return slices.Contains(tags, tag) }
