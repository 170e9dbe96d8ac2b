package app

import (
	"time"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/sms"
)

// SMSProviders are who carries messages to phones, or nil if the setting is empty.
func (c *Config) SMSProviders(now func() time.Time) (*sms.Providers, error) {
	list, err := sms.ParseList(c.SMS, now)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return sms.NewProviders(now, list...), nil
}

// SMSGuard is what may be sent where. hide turns a number into the key that counters know
// it by.
func (c *Config) SMSGuard(hide func(number string) string) *sms.Guard {
	return &sms.Guard{
		Countries: c.SMSCountries,
		PerNumber: c.SMSPerNumber, PerNumberDaily: c.SMSPerNumberDaily,
		PerNetwork: c.SMSPerNetwork, PerNetworkDaily: c.SMSPerNetworkDaily,
		PerPrefix: c.SMSPerPrefix, PerPrefixDaily: c.SMSPerPrefixDaily,
		Daily: c.SMSDaily, BreakerMin: c.SMSBreaker, Hide: hide,
	}
}

// sms never shows what the setting holds: accounts, tokens and secrets stand there.
func (k *checker) sms() {
	providers, err := k.SMSProviders(func() time.Time { return time.Time{} })
	switch {
	case err != nil:
		k.refuse("sms", "%v", err)
	case k.SMSVoice == "on" && (providers == nil || !providers.Calls()):
		k.refuse("sms-voice", "no provider in sms makes calls; name twilio with a number as from, messagebird or a webhook, or turn it off")
	}
	for _, code := range k.SMSCountries {
		switch {
		case code == "*":
			k.refuse("sms-countries", "* would open every range of numbers that earns from calls; list the countries of your people, like CH,DE")
		case !account.CallingCountry(code):
			k.refuse("sms-countries", "%q is not the ISO 3166 code of a country with numbers; write two capital letters like CH", code)
		}
	}
	for _, b := range []struct {
		hour, day             string
		perHour, perDay, most int
	}{
		{"sms-per-number", "sms-per-number-daily", k.SMSPerNumber, k.SMSPerNumberDaily, 1000},
		{"sms-per-network", "sms-per-network-daily", k.SMSPerNetwork, k.SMSPerNetworkDaily, 1_000_000},
		{"sms-per-prefix", "sms-per-prefix-daily", k.SMSPerPrefix, k.SMSPerPrefixDaily, 10_000_000},
	} {
		k.between(b.hour, b.perHour, 1, b.most, "; to send nothing, leave sms-countries empty")
		k.between(b.day, b.perDay, 1, b.most, "; to send nothing, leave sms-countries empty")
		if b.perHour > b.perDay {
			k.refuse(b.hour, "%d in an hour is more than %s allows in a day, which is %d; lower the one or raise the other", b.perHour, b.day, b.perDay)
		}
	}
	k.between("sms-daily", k.SMSDaily, 1, 100_000_000, "; to send nothing, leave sms-countries empty")
	k.between("sms-breaker", k.SMSBreaker, 1, 1_000_000, "; a range is judged by some messages at least, and by few enough to stop fraud")
}
