package otl

import "time"

// Consent is what a person let a site see for some time.
type Consent struct {
	SiteID string
	Fields Fields
	Since  time.Time
	Until  time.Time // zero while it is in force
}

// Reading is how often a site was shown the same fields of a person on one day.
type Reading struct {
	UserID, SiteID string
	Day            int // days since 1970, UTC
	Fields         Fields
	Times          int64
	First, Last    time.Time
}

// DayOf gives the day of a time: days since 1970, UTC.
func DayOf(t time.Time) int { return int(t.Unix() / (24 * 60 * 60)) }
