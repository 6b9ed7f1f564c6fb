package native

import (
	"time"

	"github.com/onetimelogin/otl/internal/otl"
)

// The examples of the OpenAPI document are values of the answer types, so that
// they cannot drift from them.

func sampleTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func sampleLogin() loginOut {
	return loginOut{
		AccessToken: text("eyJhbGciOiJFUzI1NiIs…"), RefreshToken: text("otl_rt_AYzT…"), TokenType: "Bearer", ExpiresIn: 1800,
		User: loginUser{sampleUser, ptr(sampleEmail), ptr("Jane Doe")},
	}
}

func sampleUserOut() *userOut {
	at := sampleTime()
	return &userOut{
		ID: sampleUser, Email: ptr(sampleEmail), EmailVerified: ptr(true), Name: ptr("Jane Doe"), Roles: []string{}, Version: 3,
		CreatedAt: at, UpdatedAt: at, LastLoginAt: &at,
	}
}

func sampleRole() roleOut {
	return roleOut{Name: "editor", Description: "Writes and publishes", Permissions: []string{"notes:read", "notes:write"}, CreatedAt: sampleTime()}
}

func sampleSessions() sessionsOut {
	at := sampleTime()
	return sessionsOut{Data: []sessionOut{{
		ID: sampleSession, UserID: sampleUser, SiteID: sampleSite, CreatedAt: at, LastSeenAt: at,
		ExpiresAt: at.Add(720 * time.Hour), IP: "203.0.113.7", UserAgent: "Mozilla/5.0", AMR: []string{"pwd"}, Current: true,
	}}}
}

func sampleRevocations() revocationsOut {
	return revocationsOut{Data: []revocationOut{{UserID: sampleUser, SessionID: ptr(sampleSession), SessionVersion: 8, At: sampleTime()}}, Cursor: "5mVx…"}
}

func sampleSiteOut() SiteOut {
	return newSiteOut(otl.Site{
		ID: sampleSite, Name: "Acme Notes", Slug: "acme-notes", Domain: "notes.example.com", Region: "eu", Version: 1,
		CallbackURLs: []string{"https://notes.example.com/auth/callback"}, Requested: otl.MinimalFields(), MFA: otl.MFAOptional, CreatedAt: sampleTime(),
	})
}

func sampleSites() sitesOut { return sitesOut{Data: []SiteOut{sampleSiteOut()}} }

func sampleRegisteredSite() registeredSiteOut {
	return registeredSiteOut{sampleSiteOut(), text("otr_2f8Kq0ZpV7sXc4TtY9wB3nLr6mJdH1gAeUi5C0Qk")}
}
