package pages

import "strings"

// mailbox is where somebody reads his mail in a browser.
type mailbox struct{ Name, URL string }

// mailboxOf gives the mailbox of an address at one of the large providers, by its domain alone; none for any
// other. It is a link that somebody follows, and nothing is asked of it by the page.
func mailboxOf(address string) (mailbox, bool) {
	_, domain, _ := strings.Cut(address, "@")
	switch strings.ToLower(domain) {
	case "gmail.com", "googlemail.com":
		return mailbox{"Gmail", "https://mail.google.com/"}, true
	case "outlook.com", "hotmail.com", "live.com", "msn.com":
		return mailbox{"Outlook", "https://outlook.live.com/mail/"}, true
	case "yahoo.com", "ymail.com":
		return mailbox{"Yahoo Mail", "https://mail.yahoo.com/"}, true
	case "icloud.com", "me.com", "mac.com":
		return mailbox{"iCloud Mail", "https://www.icloud.com/mail"}, true
	case "proton.me", "protonmail.com", "pm.me":
		return mailbox{"Proton Mail", "https://mail.proton.me/"}, true
	}
	return mailbox{}, false
}
