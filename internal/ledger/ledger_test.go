package ledger_test

import (
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/onetimelogin/otl/internal/ledger"
	"github.com/onetimelogin/otl/internal/otl"
	"github.com/onetimelogin/otl/internal/otltest"
	"github.com/onetimelogin/otl/internal/store"
)

// TestReadingsAreCountedByDayAndFields: one row for a site, a day and a set of fields,
// whoever writes it and however often.
func TestReadingsAreCountedByDayAndFields(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u := w.Person(t, "jane@dev.test")
		other := ledger.New(w.Store, w.Clock.Now, slog.New(slog.DiscardHandler)) // another node
		both, mail := otl.Fields{otl.FieldEmail, otl.FieldName}, otl.Fields{otl.FieldEmail}
		first := w.Clock.Now()
		w.Ledger.Note(w.Notes.Site, u.ID, both)
		w.Ledger.Note(w.Notes.Site, u.ID, mail)
		w.Clock.Advance(time.Minute)
		other.Note(w.Notes.Site, u.ID, both)
		if err := other.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Ledger.Flush(t.Context()); err != nil { // of before, written after
			t.Fatal(err)
		}
		w.Ledger.Note(w.Notes.Site, u.ID, both)
		w.Clock.Advance(24 * time.Hour)
		w.Ledger.NoteAt(w.Shop.Site.ID, u.ID, mail)
		got, err := w.Ledger.Of(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		day := otl.DayOf(first)
		want := []otl.Reading{
			{UserID: u.ID, SiteID: w.Shop.Site.ID, Day: day + 1, Fields: mail, Times: 1, First: first.Add(24*time.Hour + time.Minute), Last: first.Add(24*time.Hour + time.Minute)},
			{UserID: u.ID, SiteID: w.Notes.Site.ID, Day: day, Fields: both, Times: 3, First: first, Last: first.Add(time.Minute)},
			{UserID: u.ID, SiteID: w.Notes.Site.ID, Day: day, Fields: mail, Times: 1, First: first, Last: first},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
		w.Clock.Advance(90 * 24 * time.Hour)
		if err := w.Ledger.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err = w.Ledger.Of(t.Context(), u.ID); err != nil || len(got) != 1 || got[0].SiteID != w.Shop.Site.ID {
			t.Errorf("after 90 days: %+v %v", got, err)
		}
	})
}

// TestWhatIsNoReading: our own site's, an answer without a field, somebody who is gone.
func TestWhatIsNoReading(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		u, gone := w.Person(t, "jane@dev.test"), w.Person(t, "joe@dev.test")
		mail := otl.Fields{otl.FieldEmail}
		var none *ledger.Ledger
		none.Note(w.Notes.Site, u.ID, mail)
		w.Ledger.Note(otl.Site{ID: w.Installation.SiteID, FirstParty: true}, u.ID, mail)
		w.Ledger.Note(w.Notes.Site, u.ID, nil)
		w.Ledger.Note(w.Notes.Site, "", mail)
		w.Ledger.Note(w.Notes.Site, gone.ID, mail)
		w.Ledger.NoteAt("01HKZ3M5Q8J9X2V7C4B6N1D0FG", u.ID, mail) // a site that was purged
		if err := w.Accounts.Delete(t.Context(), gone.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.Ledger.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{u.ID, gone.ID} {
			if got, err := w.Ledger.Of(t.Context(), id); err != nil || len(got) != 0 {
				t.Errorf("%+v %v", got, err)
			}
		}
	})
}

// TestNothingIsLostThatCouldNotBeWritten: neither counts nor those noted meanwhile.
func TestNothingIsLostThatCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	w := otltest.New(t, otltest.SQLite)
	closed, err := store.Open(t.Context(), store.Options{URL: otltest.DatabaseURL(t, otltest.SQLite)})
	if err != nil {
		t.Fatal(err)
	}
	u := w.Person(t, "jane@dev.test")
	l := ledger.New(closed, w.Clock.Now, slog.New(slog.DiscardHandler))
	mail := otl.Fields{otl.FieldEmail}
	l.Note(w.Notes.Site, u.ID, mail)
	l.Note(w.Notes.Site, u.ID, mail)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); err == nil {
		t.Fatal("written to a store that is closed")
	}
	l.Note(w.Notes.Site, u.ID, mail)
	l.Store = w.Store
	got, err := l.Of(t.Context(), u.ID)
	if err != nil || len(got) != 1 || got[0].Times != 3 {
		t.Errorf("%+v %v", got, err)
	}
}

// TestManyNoteAtOnce: every one of them counts, while others write.
func TestManyNoteAtOnce(t *testing.T) {
	t.Parallel()
	otltest.Each(t, func(t *testing.T, w *otltest.World) {
		var people []string
		for i := range 5 {
			people = append(people, w.Person(t, fmt.Sprint(i, "@dev.test")).ID)
		}
		nodes := []*ledger.Ledger{w.Ledger, ledger.New(w.Store, w.Clock.Now, slog.New(slog.DiscardHandler))}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 100 {
					nodes[i%2].Note(w.Notes.Site, people[n%5], otl.MinimalFields())
					if n%25 == 0 {
						if err := nodes[i%2].Flush(t.Context()); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
		for _, one := range nodes {
			if err := one.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range people {
			if got, err := w.Ledger.Of(t.Context(), id); err != nil || len(got) != 1 || got[0].Times != 160 {
				t.Errorf("%+v %v", got, err)
			}
		}
	})
}

// TestMemoryIsBounded: what is beyond is counted as lost, and what is known goes on
// being counted.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := ledger.New(nil, otltest.NewClock().Now, slog.New(slog.DiscardHandler))
	for i := range 1<<17 + 10 {
		l.NoteAt("site", fmt.Sprint("person", i), otl.MinimalFields())
	}
	l.NoteAt("site", "person0", otl.MinimalFields())
	if l.Lost() != 10 {
		t.Errorf("%d are lost", l.Lost())
	}
}

// BenchmarkNote is what an answer pays for it.
func BenchmarkNote(b *testing.B) {
	l := ledger.New(nil, time.Now, slog.New(slog.DiscardHandler))
	people := make([]string, 10_000)
	for i := range people {
		people[i] = fmt.Sprintf("01HKZ3M5Q8J9X2V7C4B6N%05d", i)
	}
	site := otl.Site{ID: "01HKZ3M5Q8J9X2V7C4B6N1D0FG"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			l.Note(site, people[i%len(people)], otl.MinimalFields())
		}
	})
}
