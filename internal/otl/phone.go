package otl

// ParsePhone checks a phone number in E.164 form: "+", then 7 to 15 digits, the
// first of them not zero. National spellings and separators are refused; the
// caller knows the country, this package does not.
func ParsePhone(s string) (string, error) {
	bad := InvalidField("phone", "not_e164", "must be in E.164 form, such as +491705550100")
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return "", bad
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return "", bad
		}
	}
	return s, nil
}
